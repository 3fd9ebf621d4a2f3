/**
 * The checkpoint of one scaler: what it has learned and cannot read anywhere again. Pure: a string in, a string out;
 * where the string is kept is the controller's business, how it is written state-text.ts's.
 */
import { z } from 'zod';
import { type Decoded, packState, unpackState } from './state-text.ts';

/** A ConfigMap may hold 1 MiB; a thousand of these in etcd stay below a tenth of its default quota. */
export const MAX_STATE_CHARS = 160 * 1024;
const MAX_STATE_BYTES = 2 * 1024 * 1024;
const PREFIX = 'foresail.state.v1 ';
const MAX_METRICS = 32;

const share = z.number().min(-10).max(10);
const count = z.number().min(0).max(1e9);
const scores = z.array(z.number().min(-1000).max(1000)).max(512);
const id = z.string().min(1).max(128);

const calibration = z.object({
  coverage: z.number().min(0.5).max(0.9999),
  level: z.number().min(0).max(1e300),
  horizons: z
    .array(z.object({ shift: share.exactOptional(), settled: count, covered: count, scores }))
    .max(32),
});

const learner = z.object({
  stepMs: z.int().min(1000).max(86_400_000),
  calibrations: z.array(z.object({ by: id, state: calibration })).max(8),
  contest: z.object({
    leader: id,
    preferred: id.exactOptional(),
    entrants: z
      .array(
        z.object({
          id,
          loss: z.number().min(0),
          settled: count,
          weight: z.number().min(0).max(1).optional(),
          losses: z.array(z.number().min(0)).max(16).optional(),
        }),
      )
      .max(16),
  }),
  service: z
    .object({
      steps: count,
      targets: z.array(z.object({ short: share, replicas: z.number().min(0).max(1e9) })).max(64),
    })
    .exactOptional(),
});

const time = z.number().min(-8.64e15).max(8.64e15);
const clinging = z.object({
  pairs: count,
  mean: share,
  variance: share,
  covariance: share,
  last: share.optional(),
});
const sign = z.object({
  upSinceMs: time.optional(),
  usual: share.optional(),
  suspectSinceMs: time.optional(),
  pinnedSinceMs: time.optional(),
  freeSinceMs: time.optional(),
});

const drift = z.object({
  stepMs: z.int().min(1000).max(86_400_000),
  by: z.string().max(128),
  digest: z.string().max(256),
  ahead: z.int().min(0).max(1024),
  level: z.number().min(0).max(1e300),
  monitor: z.object({
    lastMs: time.optional(),
    spacingMs: z.number().min(0).max(1e12),
    size: share,
    clinging,
    sizesClinging: clinging,
    adwin: z.array(z.array(z.tuple([count, count])).max(8)).max(16),
    blocks: z
      .array(
        z.object({
          index: z.int(),
          sum: count,
          cells: z.array(z.tuple([z.int().min(0).max(63), z.int().min(0).max(1e9)])).max(64),
        }),
      )
      .max(64),
    signs: z.object({ Adwin: sign, Psi: sign, Pinned: sign }),
  }),
});

const stateSchema = z.object({
  /** Load time of the newest observation that went in. */
  asOfMs: time,
  leadTime: z.object({ witnessed: z.array(z.number().min(0).max(86_400_000)).max(256) }),
  metrics: z
    .array(
      z.object({
        key: z.string().min(1).max(512),
        learner: learner.optional(),
        drift: drift.optional(),
        capacity: z
          .object({ borne: z.array(z.number().min(0)).max(512), ceiling: z.number().min(0).nullable() })
          .optional(),
      }),
    )
    .max(MAX_METRICS),
  /** The decision's own memory; its owner checks it. */
  decision: z.json().optional(),
  /** The verdict on the forecast; its owner checks it too. */
  verdict: z.json().optional(),
});

export type ScalerState = z.infer<typeof stateSchema>;

/**
 * At most MAX_STATE_CHARS. What does not fit is given up in this order: the oldest half of all scores (again and
 * again), the decision's memory.
 */
export function encodeState(state: ScalerState): string {
  let current = state;
  for (let halvings = 0; ; halvings++) {
    const text = packState(PREFIX, current);
    if (text.length <= MAX_STATE_CHARS) return text;
    if (halvings < 6) current = withFewerScores(current);
    else if (current.decision !== undefined) current = { ...current, decision: undefined };
    else current = { ...current, metrics: [] };
  }
}

/** Never throws. */
export function decodeState(text: string | undefined): Decoded<ScalerState> {
  return unpackState(text, {
    prefix: PREFIX,
    schema: stateSchema,
    maxChars: MAX_STATE_CHARS,
    maxBytes: MAX_STATE_BYTES,
  });
}

function withFewerScores(state: ScalerState): ScalerState {
  const half = <T>(list: readonly T[]): T[] => list.slice(Math.ceil(list.length / 2));
  return {
    ...state,
    metrics: state.metrics.map((metric) => ({
      ...metric,
      capacity: metric.capacity && { ...metric.capacity, borne: half(metric.capacity.borne) },
      learner: metric.learner && {
        ...metric.learner,
        calibrations: metric.learner.calibrations.map(({ by, state: inner }) => ({
          by,
          state: {
            ...inner,
            horizons: inner.horizons.map((horizon) => ({ ...horizon, scores: half(horizon.scores) })),
          },
        })),
      },
    })),
  };
}

/** When a checkpoint is due: at most every ten minutes, and only when there is something new in it. */
export class CheckpointPolicy {
  readonly #everyMs: number;
  #lastMs: number | undefined;
  #lastText: string | undefined;

  /** @param everyMs shortest time between two writes */
  constructor(everyMs = 600_000) {
    this.#everyMs = everyMs;
  }

  /** What is stored already, after a start. The first write then still waits its time. */
  restored(text: string, nowMs: number): void {
    this.#lastText = text;
    this.#lastMs = nowMs;
  }

  /**
   * The text to write now, or undefined. `encode` is called only when the time has come.
   * @param nowMs monotonic, so that a jump of the clock neither floods nor stops the writes
   * @param last true on the way out: the time does not matter then, a change does
   */
  due(nowMs: number, encode: () => string, last = false): string | undefined {
    if (!last && this.#lastMs !== undefined && nowMs - this.#lastMs < this.#everyMs) return undefined;
    const text = encode();
    return text === this.#lastText ? undefined : text;
  }

  /** Call when the write has succeeded; after a failed one it stays due. */
  written(text: string, nowMs: number): void {
    this.#lastText = text;
    this.#lastMs = nowMs;
  }
}
