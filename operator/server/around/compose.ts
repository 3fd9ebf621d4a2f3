/** The engine's inference with what stands around it, innermost first: engine, cache, payload log. */
import type { Engine } from '../core/types.ts';
import type { ServerMetrics } from '../metrics.ts';
import type { Infer } from './infer.ts';
import type { PayloadLog } from './payload-log.ts';
import { createResponseCache } from './response-cache.ts';

export interface Around {
  /** Absent or 0: no cache. */
  readonly cacheBytes?: number;
  readonly payloads?: PayloadLog;
}

export function composeInfer(
  engine: Engine,
  { cacheBytes = 0, payloads }: Around,
  metrics: ServerMetrics,
): Infer {
  const plain: Infer = (request, _call, signal) => engine.infer(request, signal);
  const cache = cacheBytes === 0 ? undefined : createResponseCache(engine, plain, cacheBytes, metrics.cache);
  if (cache !== undefined) metrics.followCache(cache);
  const infer = cache?.infer ?? plain;
  return payloads === undefined ? infer : payloads.around(infer);
}
