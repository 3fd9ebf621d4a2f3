/** `/v1/timeseries/…`: KServe's forecast calls, whose errors have a form of their own. */
import type { FastifyInstance } from 'fastify';
import { admit, admitted, callInfo } from '../http/call.ts';
import { errorHandler, type SendFault } from '../http/faults.ts';
import type { WireOutcome } from '../wire/errors.ts';
import { parseJson } from '../wire/json-text.ts';
import type { Wire } from '../wire.ts';
import { type ForecastError, forecast } from './forecast.ts';
import { forecastModels } from './models.ts';
import { readForecastRequest } from './request.ts';

const TYPES: Readonly<Record<WireOutcome, string>> = {
  success: '',
  invalid: 'invalid_request',
  not_found: 'model_not_found',
  not_ready: 'model_not_ready',
  rejected: 'overloaded',
  denied: 'permission_denied',
  limited: 'rate_limit_exceeded',
  deadline: 'deadline_exceeded',
  canceled: 'canceled',
  backend: 'server_error',
};

const sendForecastFault: SendFault = (reply, { http, outcome, message, field }) => {
  const error: ForecastError = { code: String(http), message, param: field ?? null, type: TYPES[outcome] };
  return reply.send({ error });
};

export function forecastRoutes(server: FastifyInstance, wire: Wire): void {
  const handler = errorHandler(wire, sendForecastFault);
  server.get('/v1/timeseries/models', { errorHandler: handler }, async () => forecastModels(wire.engine));
  server.post(
    '/v1/timeseries/forecast',
    { onRequest: admit(wire), errorHandler: handler },
    async (request, reply) => {
      const call = admitted(request);
      const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
      const answer = await forecast(wire, readForecastRequest(parseJson(body)), callInfo(request), call.gone);
      call.ended('success');
      return reply.send(answer);
    },
  );
}
