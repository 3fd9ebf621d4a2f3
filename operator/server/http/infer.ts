/** `POST /v2/models/{model}[/versions/{version}]/infer`, with and without the binary tensor extension. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { invalid } from '../core/errors.ts';
import { writeInferAnswer } from '../wire/infer-answer.ts';
import {
  type ModelPath,
  type ReceivedInfer,
  readBareInfer,
  readInferRequest,
} from '../wire/infer-request.ts';
import { parseJson } from '../wire/json-text.ts';
import type { Wire } from '../wire.ts';
import { admit, admitted, callInfo } from './call.ts';
import { MODEL_PATHS, type ModelParams, modelPath } from './paths.ts';

/** Length of the JSON object when binary data follows it. */
const JSON_LENGTH = 'inference-header-content-length';
const NOTHING = Buffer.alloc(0);

export function inferRoutes(server: FastifyInstance, wire: Wire): void {
  const options = { onRequest: admit(wire) };
  const handler = async (request: FastifyRequest<{ Params: ModelParams }>, reply: FastifyReply) => {
    const call = admitted(request);
    const path = modelPath(request.params);
    const body = request.body instanceof Uint8Array ? (request.body as Buffer) : NOTHING;
    // Who names a priority or a time-out has to be read first.
    if (!body.includes('"priority"') && !body.includes('"timeout"'))
      wire.refuseEarly(path.model, path.version);
    const received = receive(wire, path, body, request.headers[JSON_LENGTH]);
    const answer = await wire.infer(received.request, callInfo(request, received.id), call.gone);
    call.span?.answered(answer);
    const written = writeInferAnswer(answer, received.id, received.asBinary);
    call.ended('success');
    if (written.jsonLength === undefined) reply.type('application/json');
    else reply.type('application/octet-stream').header(JSON_LENGTH, written.jsonLength);
    return reply.send(written.body);
  };
  for (const path of MODEL_PATHS) server.post<{ Params: ModelParams }>(`${path}/infer`, options, handler);
}

function receive(
  wire: Wire,
  path: ModelPath,
  body: Buffer,
  header: string | string[] | undefined,
): ReceivedInfer {
  if (header === undefined) return readInferRequest(path, parseJson(body), NOTHING);
  const length = typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : Number.NaN;
  if (!(length <= body.byteLength))
    throw invalid(
      'Inference-Header-Content-Length',
      `Inference-Header-Content-Length is not a number up to the ${body.byteLength} bytes of the body`,
    );
  if (length === 0) return readBareInfer(path, wire.engine.metadata(path.model, path.version), body);
  return readInferRequest(path, parseJson(body.subarray(0, length)), body.subarray(length));
}
