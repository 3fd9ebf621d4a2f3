/**
 * Reactive mode equals HPA, proved against the real controller: the same random lives of a workload are played to
 * both, each on its own Deployment, and replicas and reasons are compared look by look. Both stand at the same gate,
 * so the phase between them is the time that one answer takes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Cluster, startCluster } from '../cluster.ts';
import { choose } from './choose.ts';
import { compare } from './compare.ts';
import { type Judge, REAL } from './judge.ts';
import { simulate } from './model.ts';
import { MUTATIONS, mutant } from './mutants.ts';
import { replay } from './replay.ts';
import { LOOKS, type Played, play } from './run.ts';
import { KINDS, type Sequence, TICK_MS, TICKS } from './sequence.ts';
import { TUNING } from './tuning.ts';

const NEEDED = 20;
/**
 * On a busy machine some sequences are void, so a few more are played than needed, and more if that was too few. One
 * that differs is played again until it has agreed or differed twice: an informer of HPA that is a second late makes a
 * difference once, an algorithm always. Wrong judges play on, too, with other sequences, until they are noticed.
 */
const ROUNDS = [22, 12, 12, 0, 0, 0, 0];
/** Of the last ones nothing new is drawn: whatever differed before can be played again. */
const REPLAYS = 2;
/** Of a round, for each mistake that has to be noticed: one sequence alone may be void. */
const WITNESSES = 4;
/** Mistakes with which a Deployment is really run. */
const SPOILERS = MUTATIONS.slice(0, 3);
const LIMIT_MS = 20 * 60_000;

const signal = AbortSignal.timeout(LIMIT_MS);
let cluster: Cluster;
let folder: string;
const mutants = new Map<string, Judge>();
const played: Played[] = [];
/** Played with a wrong judge on our side. */
const spoiled: Played[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-mutants-'));
  for (const [index, mutation] of MUTATIONS.entries()) {
    mutants.set(mutation.name, await mutant(mutation, join(folder, String(index))));
  }
  cluster = await startCluster(
    {
      nodes: 1,
      hpa: {
        syncPeriod: `${TICK_MS}ms`,
        downscaleStabilization: `${TUNING.downscaleStabilizationMs}ms`,
        cpuInitializationPeriod: `${TUNING.cpuInitializationMs}ms`,
        initialReadinessDelay: `${TUNING.initialReadinessDelayMs}ms`,
        tolerance: TUNING.tolerance,
      },
      // A look that waits at the gate must not block the look of another HPA.
      extraArgs: { 'kube-controller-manager': ['--concurrent-horizontal-pod-autoscaler-syncs=50'] },
    },
    signal,
  );
  for (const [round, count] of ROUNDS.entries()) {
    const drawn = lacking().length === 0 ? [] : choose(count, 1 + 10_000 * round);
    const fresh = round < ROUNDS.length - REPLAYS ? withWitnesses(drawn, 5_000 * round) : [];
    const plays = [...undecided(), ...fresh].map((sequence) => ({
      sequence,
      judge: REAL,
    }));
    const wrongPlays = unnoticed().map((judge, index) => ({
      judge,
      sequence: choose(
        1,
        5000 + 1000 * index + 20_000 * round,
        (each) => partsAt(each, judge) < TICKS / 2,
      )[0] as Sequence,
    }));
    if (plays.length + wrongPlays.length === 0) break;
    const results = await play(cluster, [...plays, ...wrongPlays], signal);
    played.push(...results.filter(({ judge }) => judge === REAL));
    spoiled.push(...results.filter(({ judge }) => judge !== REAL));
  }
}, LIMIT_MS);

afterAll(async () => {
  await cluster?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** The tick after which the judge leaves the right path in a world without noise; Infinity when it never does. */
function partsAt(sequence: Sequence, judge: Judge): number {
  const right = simulate(sequence).map(({ desiredReplicas }) => desiredReplicas);
  const wrong = simulate(sequence, judge).map(({ desiredReplicas }) => desiredReplicas);
  const apart = right.findIndex((replicas, index) => replicas !== wrong[index]);
  return apart === -1 ? Infinity : apart;
}

/** With some for each mistake that was not noticed yet: many show in few lives only. */
function withWitnesses(drawn: readonly Sequence[], firstSeed: number): Sequence[] {
  const list = [...drawn];
  for (const [index, { name }] of MUTATIONS.entries()) {
    const judge = mutants.get(name) ?? REAL;
    if (contradictions(judge).length > 0) continue;
    const tells = (each: Sequence) => partsAt(each, judge) < Infinity;
    const missing = Math.max(0, WITNESSES - list.filter(tells).length);
    list.push(...choose(missing, firstSeed + 50_000 * (index + 1), tells));
  }
  return list;
}

/** What those that agree do not show yet. */
function lacking(): readonly string[] {
  const whole = agreed();
  const kinds = new Set(whole.flatMap(({ sequence }) => sequence.metrics.map(({ kind }) => kind)));
  const withBehavior = whole.filter(({ sequence }) => sequence.behavior !== undefined).length;
  return [
    ...(whole.length < NEEDED ? [`${whole.length} of ${NEEDED}`] : []),
    ...KINDS.filter((kind) => !kinds.has(kind)),
    ...(withBehavior < 3 ? ['behavior'] : []),
    ...(whole.length - withBehavior < 3 ? ['no behavior'] : []),
  ];
}

function differing(among: readonly Played[]): Played[] {
  return among.filter(({ theirs, ours }) => compare(theirs, ours, LOOKS).kind === 'differs');
}

function differedTwice(): Played[] {
  const ever = differing(played);
  return ever.filter(
    ({ sequence }, index) => ever.findIndex((other) => other.sequence.seed === sequence.seed) < index,
  );
}

/** Those that have differed once and not agreed since. */
function undecided(): Sequence[] {
  const decided = new Set([...agreed(), ...differedTwice()].map(({ sequence }) => sequence.seed));
  return differing(played)
    .map(({ sequence }) => sequence)
    .filter(({ seed }) => !decided.has(seed));
}

/** Wrong judges whose Deployments went no other way than HPA's yet. */
function unnoticed(): Judge[] {
  const noticed = new Set(differing(spoiled).map(({ judge }) => judge));
  return SPOILERS.map(({ name }) => mutants.get(name) ?? REAL).filter((judge) => !noticed.has(judge));
}

function agreed(): Played[] {
  return played.filter(({ theirs, ours }) => compare(theirs, ours, LOOKS).kind === 'agrees');
}

/** Looks of HPA at which the judge would have written another number, chance and uncertainty left out. */
function contradictions(judge: Judge): string[] {
  return agreed().flatMap(({ sequence, theirs }) => {
    const replayed = replay(sequence, theirs.records, judge);
    return theirs.records.slice(0, -1).flatMap((record, look) => {
      const written = theirs.records[look + 1]?.specReplicas;
      const { ambiguous } = theirs.replayed[look] ?? { ambiguous: true };
      const desired = replayed[look]?.desired;
      if (ambiguous || !record.certain || desired === written) return [];
      return [`seed ${sequence.seed}, look ${look}: HPA wrote ${written}, we would ${desired}`];
    });
  });
}

function told({ sequence, theirs, ours }: Played): string {
  const replicas = (side: Played['ours']) => side.records.map(({ specReplicas }) => specReplicas).join(' ');
  return [
    `seed ${sequence.seed}: ${JSON.stringify(compare(theirs, ours, LOOKS))}`,
    `HPA  ${replicas(theirs)}`,
    `ours ${replicas(ours)}`,
    JSON.stringify({ ...sequence, ticks: undefined }),
  ].join('\n');
}

describe('Reactive mode beside the real HPA controller', () => {
  test('no sequence tells another story, or not when it is played again', () => {
    expect(differedTwice().map(told)).toEqual([]);
    expect(undecided()).toEqual([]);
  });

  test(`at least ${NEEDED} eventful sequences agree in every look, and every kind of metric is among them`, () => {
    const whole = agreed();
    const verdicts = played.map(({ theirs, ours }) => compare(theirs, ours, LOOKS));
    expect({ agreed: whole.length, verdicts }).toMatchObject({ agreed: expect.any(Number) });
    expect(lacking()).toEqual([]);
  });

  test('what HPA wrote is what we would have written at each of its looks', () => {
    expect(contradictions(REAL)).toEqual([]);
  });
});

describe('the comparison notices', () => {
  test.each(MUTATIONS.map(({ name }) => name))('%s', (name) => {
    expect(contradictions(mutants.get(name) ?? REAL)).not.toEqual([]);
  });

  test('a wrong tolerance or rounding that really runs a Deployment', () => {
    expect(unnoticed()).toEqual([]);
    expect(spoiled.length).toBeGreaterThanOrEqual(SPOILERS.length);
  });
});
