/**
 * `make bench-guards`: how often the guards of a rollout send back a version that is as good as stable, and how soon one
 * that is not. Two pods, 220 requests a minute of which a fifth goes to the new version, for a day; in some rows a node
 * hangs now and then for one look, under one of them. RUNS=400 rollouts a row.
 */
import type { PodCounters } from '../../operator/controllers/modeldeployment/guards/exposition.ts';
import { RATE_GUARDS, RateGuards } from '../../operator/controllers/modeldeployment/guards/rates.ts';
import { upperBound } from '../../operator/judge/simulate/rates.ts';
import { type Random, seededRandom } from '../../operator/simulate/generated.ts';
import { quantile, short } from './numbers.ts';
import { say, setting, table, writeJson } from './report.ts';

const runs = setting('RUNS', 400);
const LOOK_S = 15;
const LOOKS = 86_400 / LOOK_S;
const REQUESTS = { stable: 45, canary: 10 };
/** Shares of all requests where nothing is wrong. */
const USUAL = { errors: 0.01, slow: 0.005 };
const HANGING = 0.5;
const BOUNDS = [0.01, 0.1, 1, Infinity];

interface Row {
  readonly what: string;
  /** Chance of each pod's node to hang for a look. */
  readonly hangs: number;
  /** Canary's shares as multiples of stable's. */
  readonly errors: number;
  readonly slow: number;
}

const ROWS: readonly Row[] = [
  { what: 'as good', hangs: 0, errors: 1, slow: 1 },
  { what: 'as good, nodes hang every 2 h', hangs: 0.002, errors: 1, slow: 1 },
  { what: 'as good, nodes hang every 25 min', hangs: 0.01, errors: 1, slow: 1 },
  { what: 'errors x 1.5', hangs: 0.002, errors: 1.5, slow: 1 },
  { what: 'errors x 2', hangs: 0.002, errors: 2, slow: 1 },
  { what: 'errors x 10', hangs: 0.002, errors: 10, slow: 1 },
  { what: 'slow answers x 4', hangs: 0.002, errors: 1, slow: 4 },
  { what: 'slow answers x 20', hangs: 0.002, errors: 1, slow: 20 },
];

class Pod {
  #served = 0;
  #failed = 0;
  #slow = 0;

  serve(requests: number, errors: number, slow: number, random: Random): void {
    for (let i = 0; i < requests; i++)
      if (random() < errors) this.#failed += 1;
      else {
        this.#served += 1;
        if (random() < slow) this.#slow += 1;
      }
  }

  get counters(): PodCounters {
    return {
      startedAt: 1,
      outcomes: new Map([
        ['success', this.#served],
        ['backend', this.#failed],
      ]),
      nonFinite: 0,
      latency: new Map(BOUNDS.map((bound, i) => [bound, this.#served - (i === 0 ? this.#slow : 0)])),
    };
  }
}

/** Hours until it was sent back, by guard; undefined: it was not. */
function rollout({ hangs, errors, slow }: Row, seed: number): Partial<Record<string, number>> {
  const random = seededRandom(seed);
  const guards = new RateGuards({ names: RATE_GUARDS, minRequests: 500 });
  const [stable, canary] = [new Pod(), new Pod()];
  const look = (uid: string, pod: Pod) => [{ uid, ageMs: 3_600_000, counters: pod.counters }];
  guards.take(look('stable', stable), look('canary', canary));
  for (let i = 1; i <= LOOKS; i++) {
    const share = (usual: number, times: number) => (random() < hangs ? HANGING : usual * times);
    stable.serve(REQUESTS.stable, share(USUAL.errors, 1), share(USUAL.slow, 1), random);
    canary.serve(REQUESTS.canary, share(USUAL.errors, errors), share(USUAL.slow, slow), random);
    guards.take(look('stable', stable), look('canary', canary));
    const breached = guards.findings.find(({ outcome }) => outcome === 'Breached');
    if (breached !== undefined) return { [breached.name]: (i * LOOK_S) / 3600 };
  }
  return {};
}

const isGood = ({ errors, slow }: Row) => errors === 1 && slow === 1;

const results = ROWS.map((row) => {
  const all = Array.from({ length: runs }, (_, seed) => rollout(row, 1 + seed));
  const hours = all.flatMap((one) => Object.values(one)).filter((each) => each !== undefined);
  say(row.what);
  return {
    ...row,
    runs,
    sentBack: hours.length / runs,
    // Exact and one-sided, on the side that would be bad news.
    bound95: isGood(row) ? upperBound(hours.length, runs) : 1 - upperBound(runs - hours.length, runs),
    medianMinutes: hours.length === 0 ? undefined : 60 * quantile(hours, 0.5),
  };
});

console.log(
  table([
    ['canary', 'sent back', '95 %', 'after, minutes'],
    ...results.map((row) => [
      row.what,
      `${short(100 * row.sentBack)} %`,
      `${isGood(row) ? '≤' : '≥'} ${short(100 * row.bound95)} %`,
      row.medianMinutes === undefined ? '' : short(row.medianMinutes),
    ]),
  ]),
);
say(writeJson('guards', { runs, looks: LOOKS, requests: REQUESTS, usual: USUAL, results }));
