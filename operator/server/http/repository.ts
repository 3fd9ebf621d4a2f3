/** The repository extension: what lies in the repository, and, where the administrator allows it, loading by request. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ForesailError } from '../../errors.ts';
import { pastDeadline } from '../core/errors.ts';
import { unsupported } from '../wire/errors.ts';
import { type JsonObject, own, readModelName, readObject, readParameters } from '../wire/fields.ts';
import { parseJson } from '../wire/json-text.ts';
import type { Wire } from '../wire.ts';

/** Longest time that a request waits for a model to serve; loading itself goes on. */
const LOAD_DEADLINE_MS = 120_000;

export function repositoryRoutes(server: FastifyInstance, wire: Wire): void {
  const { engine } = wire;
  server.post('/v2/repository/index', async (request) =>
    engine.index(own(bodyOf(request), 'ready') === true).map(({ name, version, state, reason }) => ({
      name,
      version,
      state,
      reason,
    })),
  );

  const path = '/v2/repository/models/:model';
  server.post<{ Params: { model: string } }>(`${path}/load`, async (request, reply) => {
    const model = controlled(wire, request.params.model);
    refuseParameters(bodyOf(request), []);
    await withinDeadline((signal) => engine.load(model, signal));
    return reply.send({});
  });
  server.post<{ Params: { model: string } }>(`${path}/unload`, async (request, reply) => {
    const model = controlled(wire, request.params.model);
    refuseParameters(bodyOf(request), ['unload_dependents']);
    await withinDeadline((signal) => engine.unload(model, signal));
    return reply.send({});
  });
}

/** @throws LOAD_DISABLED, INPUT_INVALID */
export function controlled({ repositoryControl }: Pick<Wire, 'repositoryControl'>, model: string): string {
  if (!repositoryControl)
    throw new ForesailError(
      'LOAD_DISABLED',
      'terminal',
      'loading by request is off; the server has to be started with --allow-repository-control',
    );
  return readModelName(model, 'the model name');
}

/** @throws DEADLINE */
export async function withinDeadline(change: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const signal = AbortSignal.timeout(LOAD_DEADLINE_MS);
  try {
    await change(signal);
  } catch (error) {
    throw signal.aborted ? pastDeadline(LOAD_DEADLINE_MS) : error;
  }
}

/** A configuration or files sent along would be ignored silently, which is worse than a refusal. */
function refuseParameters(body: JsonObject, known: readonly string[]): void {
  for (const key of readParameters(own(body, 'parameters'), 'parameters').keys())
    if (!known.includes(key)) throw unsupported(`the parameter ${key.slice(0, 64)} is not supported`);
}

function bodyOf(request: FastifyRequest): JsonObject {
  const { body } = request;
  return body instanceof Uint8Array && body.byteLength > 0 ? readObject(parseJson(body), 'the body') : {};
}
