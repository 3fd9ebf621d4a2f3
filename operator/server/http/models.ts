/** Health, metadata and statistics: everything of the protocol that answers at once. */
import type { FastifyInstance } from 'fastify';
import { VERSION } from '../version.ts';
import { EXTENSIONS, isReady, SERVER_NAME, type Wire } from '../wire.ts';
import { MODEL_PATHS, type ModelParams, modelPath } from './paths.ts';

export function modelRoutes(server: FastifyInstance, wire: Wire): void {
  const { engine } = wire;

  server.get('/v2/health/live', async (_request, reply) => {
    const live = engine.live();
    return reply.code(live ? 200 : 503).send({ live });
  });
  // The specification's answer says "live" here, KServe's "ready"; clients of both look at the status.
  server.get('/v2/health/ready', async (_request, reply) => {
    const ready = isReady(wire);
    return reply.code(ready ? 200 : 503).send({ live: engine.live(), ready });
  });
  server.get('/v2', async () => ({ name: SERVER_NAME, version: VERSION, extensions: EXTENSIONS }));
  server.get('/v2/models/stats', async () => ({ model_stats: engine.statistics() }));

  for (const path of MODEL_PATHS) {
    server.get<{ Params: ModelParams }>(path, async (request) => {
      const { model, version } = modelPath(request.params);
      return engine.metadata(model, version);
    });
    server.get<{ Params: ModelParams }>(`${path}/ready`, async (request, reply) => {
      const { model, version } = modelPath(request.params);
      const ready = engine.modelReady(model, version);
      if (ready) return reply.send({ name: model, ready });
      const states = engine
        .index(false)
        .filter((state) => state.name === model && (version === undefined || state.version === version));
      // Tells a model that is not there from one that is not ready yet.
      if (states.length === 0) engine.metadata(model, version);
      const reason = states.at(-1)?.reason ?? '';
      return reply.code(503).send({ name: model, ready, ...(reason === '' ? {} : { reason }) });
    });
    server.get<{ Params: ModelParams }>(`${path}/stats`, async (request) => {
      const { model, version } = modelPath(request.params);
      return { model_stats: engine.statistics(model, version) };
    });
  }
}
