/**
 * Judgements under way, as they are kept in the cluster: what a rollout of days has found out is not lost with a pod of
 * the operator. Forecasts that wait for their loads are too many for it; they are in a file (judgement-files.ts).
 */
import { z } from 'zod';
import { packState, unpackState } from '../../history/state-text.ts';
import { createStateMaps, type StateKind, type StateMaps, type StateMapsOptions } from '../state-maps.ts';
import type { ForecastJudge, StoredDesk } from './forecast-judge.ts';

const KIND: StateKind = {
  name: 'judgements',
  label: 'modeldeployment',
  prefix: 'foresail-judge-',
  annotation: 'foresail.io/model-deployment',
};
const STATE_KEY = 'judgement';
const PREFIX = 'foresail.judgement.v1 ';
/** A ConfigMap may hold 1 MiB; a judgement of a thousand series takes some 40 KiB. */
const MAX_CHARS = 900 * 1024;
const MAX_BYTES = 8 * 1024 * 1024;

const number = z.number();
const count = z.int().min(0);
const positive = z.number().min(0);

const series = z.tuple([z.string().max(512), z.object({ count, usual: positive, excess: number })]);
const process = z.object({
  streams: z
    .array(z.object({ count, meanSquare: positive, logs: z.array(number).max(16), peak: number }))
    .max(4),
  open: z.object({ index: z.int(), sum: number, count }).optional(),
});
const counts = z.object({ requests: positive, failures: positive });

const schema = z.object({
  candidate: z.string().max(128),
  baseline: z.string().max(128),
  margin: z.number().min(0).max(1),
  minLabels: count,
  desk: z.object({
    leads: z.object({ baseMs: z.number().positive(), leadsMs: z.array(z.number().positive()).min(1).max(4) }),
    judge: z.object({
      labels: count,
      leads: z
        .array(
          z.object({
            lead: z.int().min(1),
            series: z.array(series).max(100_000),
            worse: process,
            notWorse: process,
            effect: z.object({ steps: count, stable: number, mean: number, squares: positive }),
          }),
        )
        .max(4),
    }),
    answers: z.object({ logs: z.array(number).max(16), peak: number, stable: counts, canary: counts }),
  }),
});

/** What of a judgement is worth a write: another pair, or a tenth more labels. */
export function markOf({ candidate, baseline, desk }: StoredDesk): string {
  const { labels } = desk.judge;
  return JSON.stringify([
    candidate,
    baseline,
    labels === 0 ? 0 : Math.floor(Math.log(labels) / Math.log(1.1)),
  ]);
}

export function encodeJudgement(stored: StoredDesk): string {
  return packState(PREFIX, stored);
}

/** Undefined where there is none; one that cannot be read is none. */
export function decodeJudgement(
  text: string | undefined,
  corrupt: (reason: string) => void = () => undefined,
): StoredDesk | undefined {
  const decoded = unpackState(text, { prefix: PREFIX, schema, maxChars: MAX_CHARS, maxBytes: MAX_BYTES });
  if (decoded.kind === 'state') return decoded.state as StoredDesk;
  if (decoded.kind === 'corrupt') corrupt(decoded.reason);
  return undefined;
}

export interface StoredJudgements extends Pick<StateMaps, 'name' | 'run'> {
  restore(uid: string): StoredDesk | undefined;
  /** @param keys of the ModelDeployments that exist, by uid */
  attach(judge: Pick<ForecastJudge, 'judging'>, keys: () => ReadonlyMap<string, string>): void;
}

export function createStoredJudgements(options: StateMapsOptions): StoredJudgements {
  const maps = createStateMaps(options, KIND);
  return {
    name: maps.name,
    run: (signal) => maps.run(signal),
    restore(uid) {
      const stored = decodeJudgement(maps.dataOf(uid)?.[STATE_KEY], (reason) =>
        options.log.warn('judgement set aside', { uid, reason }),
      );
      if (stored !== undefined) maps.restored(uid, markOf(stored));
      return stored;
    },
    attach(judge, keys) {
      const kept = () => {
        const keyOf = keys();
        // A judgement is read when its time has come, not at each look.
        return judge.judging().map(({ uid, stored }) => ({
          uid,
          key: keyOf.get(uid) ?? '',
          mark: () => markOf(stored()),
          data: () => ({ [STATE_KEY]: encodeJudgement(stored()) }),
        }));
      };
      maps.attach(kept, () => new Set(keys().keys()));
    },
  };
}
