/**
 * The guards that compare counts of two versions, pod by pod: errors, slow answers, answers with NaN. Each look takes
 * what every pod has counted since the look before; a pod whose counters began anew, that was not seen before or does
 * not answer compares nothing for that look.
 *
 * A young pod is not like an old one (cold caches, other connections), so the canary is compared with the stable pods
 * of its own age where there are any, and else with all of them over the same time.
 */
import { type Counts, GUARD_DEFAULTS, RateGuard } from '../../../judge/guard.ts';
import type { PodCounters } from './exposition.ts';
import { type Finding, holding } from './finding.ts';

export const RATE_GUARDS = ['Errors', 'Latency', 'NaN'] as const;
export type RateGuardName = (typeof RATE_GUARDS)[number];

/** One pod at one look. */
export interface PodLook {
  readonly uid: string;
  readonly ageMs: number;
  /** Undefined when the pod could not be asked. */
  readonly counters: PodCounters | undefined;
}

/** How a request ends when the model or its server is at fault; a client that went away is nobody's. */
const FAILED: readonly string[] = ['backend', 'deadline', 'rejected', 'invalid'];
/** The first seconds of a pod are those of no other. */
const WARM_UP_MS = 30_000;
/** "Of the same age" is up to twice as old. */
const SAME_AGE = 2;
/** Stable's usual answers are this share of all. */
const USUAL = 0.99;
/** Answers of stable that say what is usual. */
const TO_LEARN_USUAL = 100;
/** Looks in a row in which a side could not be seen at all, after which nothing is promoted on it. */
const BLIND_LOOKS = 4;

const OPTIONS = {
  Errors: GUARD_DEFAULTS,
  NaN: GUARD_DEFAULTS,
  // Noise of nodes and neighbours moves the tail of latencies far more than it makes errors.
  Latency: { ...GUARD_DEFAULTS, tolerance: 2 },
} as const;

/**
 * Failures come in bursts: a node that hangs for a moment fails hundreds of requests of whoever has a pod there. The
 * test takes each for a coin of its own, so the evidence of one look is bounded, in nats. A breach wants ln(1 / error):
 * about a minute in which canary alone fails, somewhat more in which it alone is slow.
 */
const MOST_PER_LOOK = { Errors: 2.5, NaN: 2.5, Latency: 1.75 } as const;

/** Odds of two to one, as a logarithm. */
const SUSPICIOUS = Math.log(2);
/** Looks without a failure more, after which it was a moment. */
const QUIET_LOOKS = 4;

const WHAT = {
  Errors: 'fails more often than stable',
  NaN: 'answers NaN more often than stable',
  Latency: 'answers slowly more often than stable',
} as const;

/** Counts of all pods of a side between two looks. */
interface Delta {
  readonly answered: number;
  readonly failed: number;
  readonly nonFinite: number;
  readonly latency: ReadonlyMap<number, number>;
}

export interface RateGuardsOptions {
  /** Which of them were asked for. */
  readonly names: readonly RateGuardName[];
  /** Requests of each side before a guard is passed. */
  readonly minRequests: number;
}

export class RateGuards {
  readonly #options: RateGuardsOptions;
  readonly #guards: ReadonlyMap<RateGuardName, RateGuard>;
  readonly #before = new Map<string, PodCounters>();
  /** Looks since the evidence grew. */
  readonly #quiet = new Map<RateGuardName, number>();
  #usualWithin: number | undefined;
  #stableLatency = new Map<number, number>();
  #blind: { readonly side: string; readonly looks: number } | undefined;

  constructor(options: RateGuardsOptions) {
    this.#options = options;
    this.#guards = new Map(options.names.map((name) => [name, new RateGuard(OPTIONS[name])]));
  }

  take(stable: readonly PodLook[], canary: readonly PodLook[]): void {
    const unseen = [
      ...(canary.some(({ counters }) => counters !== undefined) ? [] : ['the new version']),
      ...(stable.some(({ counters }) => counters !== undefined) ? [] : ['stable']),
    ];
    this.#blind =
      unseen.length === 0 ? undefined : { side: unseen.join(' and '), looks: (this.#blind?.looks ?? 0) + 1 };
    const ofCanary = this.#deltaOf(canary);
    const ofStable = this.#deltaOf(peersOf(stable, canary));
    // Those that are no peers now may be later: their counts must go on from here.
    this.#remember([...stable, ...canary]);
    if (ofStable !== undefined && ofCanary !== undefined) this.#compare(ofStable, ofCanary);
    if (ofStable !== undefined) this.#learnUsual(ofStable);
  }

  get findings(): readonly Finding[] {
    return [...this.#guards].map(([name, guard]): Finding => {
      const compared = Math.min(guard.state.stable.requests, guard.state.canary.requests);
      if (guard.breached) return { name, outcome: 'Breached', message: `it ${WHAT[name]}`, compared };
      if (this.#blind !== undefined && this.#blind.looks >= BLIND_LOOKS)
        return { name, outcome: 'Blind', message: `no pod of ${this.#blind.side} can be asked`, compared };
      if (compared >= this.#options.minRequests && this.#isSuspected(name))
        return {
          ...holding(name, `so far it ${WHAT[name]}; more is to be seen`, compared),
          suspected: true,
        };
      if (compared >= this.#options.minRequests)
        return { name, outcome: 'Passed', message: 'holds', compared };
      return holding(
        name,
        `fewer than ${this.#options.minRequests} requests of each version were compared`,
        compared,
      );
    });
  }

  /** One look is bounded in what it can show, so whatever number of requests it saw, the looks after it have a say. */
  #isSuspected(name: RateGuardName): boolean {
    const evidence = this.#guards.get(name)?.evidence ?? 0;
    return evidence >= SUSPICIOUS && (this.#quiet.get(name) ?? 0) < QUIET_LOOKS;
  }

  #compare(stable: Delta, canary: Delta): void {
    const take = (name: RateGuardName, counts: (of: Delta) => Counts): void => {
      const guard = this.#guards.get(name);
      const before = guard?.evidence ?? 0;
      guard?.take(...tempered(counts(stable), counts(canary), name));
      this.#quiet.set(name, (guard?.evidence ?? 0) > before ? 0 : (this.#quiet.get(name) ?? 0) + 1);
    };
    take('Errors', ({ answered, failed }) => ({ requests: answered + failed, failures: failed }));
    take('NaN', ({ answered, nonFinite }) => ({ requests: answered, failures: nonFinite }));
    const bound = this.#usualWithin;
    if (bound === undefined) return;
    take('Latency', ({ latency }) => {
      const all = latency.get(Infinity) ?? Number.NaN;
      return { requests: all, failures: all - (latency.get(bound) ?? Number.NaN) };
    });
  }

  /** For the next look: a bound that was chosen on what it judges would judge itself. */
  #learnUsual({ latency }: Delta): void {
    for (const [bound, count] of latency)
      this.#stableLatency.set(bound, (this.#stableLatency.get(bound) ?? 0) + count);
    const all = this.#stableLatency.get(Infinity) ?? 0;
    if (all < TO_LEARN_USUAL) return;
    const bounds = [...this.#stableLatency.keys()].sort((a, b) => a - b);
    this.#usualWithin = bounds.find((bound) => (this.#stableLatency.get(bound) ?? 0) >= USUAL * all);
  }

  #deltaOf(looks: readonly PodLook[]): Delta | undefined {
    const deltas = looks.flatMap(({ uid, ageMs, counters }) => {
      const before = this.#before.get(uid);
      if (counters === undefined || before === undefined || ageMs < WARM_UP_MS) return [];
      const delta = deltaOf(before, counters);
      return delta === undefined ? [] : [delta];
    });
    return deltas.length === 0 ? undefined : deltas.reduce(sum);
  }

  #remember(looks: readonly PodLook[]): void {
    const alive = new Set(looks.map(({ uid }) => uid));
    for (const uid of this.#before.keys()) if (!alive.has(uid)) this.#before.delete(uid);
    // A pod that did not answer is compared anew from its next answer on.
    for (const { uid, counters } of looks)
      if (counters === undefined) this.#before.delete(uid);
      else this.#before.set(uid, counters);
  }
}

/**
 * A likelihood ratio to a power below 1 is a bet as fair as the ratio itself (Jensen's inequality), as long as the power
 * does not depend on who failed: it is chosen by how many failed in all, as if canary had been all of them.
 */
function tempered(stable: Counts, canary: Counts, name: RateGuardName): [Counts, Counts] {
  const expected = OPTIONS[name].tolerance * canary.requests;
  const most = (stable.failures + canary.failures) * Math.log((expected + stable.requests) / expected);
  const power = most > MOST_PER_LOOK[name] ? MOST_PER_LOOK[name] / most : 1;
  const scaled = (counts: Counts) => ({ ...counts, failures: counts.failures * power });
  return [scaled(stable), scaled(canary)];
}

/** Stable pods of about the canary's age where there are some; else all of them. Chosen by age alone, never by counts. */
function peersOf(stable: readonly PodLook[], canary: readonly PodLook[]): readonly PodLook[] {
  const oldest = Math.max(0, ...canary.map(({ ageMs }) => ageMs));
  const peers = stable.filter(({ ageMs, counters }) => counters !== undefined && ageMs <= SAME_AGE * oldest);
  return peers.length === 0 ? stable : peers;
}

/** Undefined when the counters began anew in between: what they had before is not known. */
function deltaOf(before: PodCounters, now: PodCounters): Delta | undefined {
  if (before.startedAt !== now.startedAt) return undefined;
  const grown = (name: string) => (now.outcomes.get(name) ?? 0) - (before.outcomes.get(name) ?? 0);
  const latency = new Map(
    [...now.latency].map(([bound, count]) => [bound, count - (before.latency.get(bound) ?? 0)]),
  );
  const failed = FAILED.map(grown);
  const answered = grown('success');
  const nonFinite = nonFiniteOf(before, now, answered);
  if ([...failed, answered, ...latency.values()].some((count) => count < 0) || nonFinite < 0)
    return undefined;
  return { answered, failed: failed.reduce((a, b) => a + b, 0), nonFinite, latency };
}

/** The counter appears with the first answer; without one there was nothing to count. */
function nonFiniteOf(before: PodCounters, now: PodCounters, answered: number): number {
  if (now.nonFinite === undefined) return answered === 0 ? 0 : Number.NaN;
  return now.nonFinite - (before.nonFinite ?? 0);
}

function sum(a: Delta, b: Delta): Delta {
  const bounds = new Set([...a.latency.keys(), ...b.latency.keys()]);
  return {
    answered: a.answered + b.answered,
    failed: a.failed + b.failed,
    nonFinite: a.nonFinite + b.nonFinite,
    latency: new Map(
      [...bounds].map((bound) => [bound, (a.latency.get(bound) ?? 0) + (b.latency.get(bound) ?? 0)]),
    ),
  };
}
