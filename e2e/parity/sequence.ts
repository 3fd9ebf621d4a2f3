/**
 * A random life of one workload: a spec as autoscaling/v2 knows it, and what its metrics and pods do tick by tick.
 * A tick is one look of the autoscaler. The script counts ticks and not seconds, so that both sides see the same
 * series whatever the phase of their timers.
 */
import { type Random, seeded } from './random.ts';

/**
 * From look to look, and the sync period of both sides. Windows and policy periods are 3, 4 and 6 seconds, so
 * that looks keep away from their edges.
 */
export const TICK_MS = 2400;
export const TICKS = 30;
export const DOWNSCALE_STABILIZATION_MS = 6000;

export const KINDS = [
  'ExternalAverage',
  'ExternalValue',
  'ResourceUtilization',
  'ResourceAverage',
  'ContainerUtilization',
  'PodsAverage',
  'ObjectValue',
  'ObjectAverage',
] as const;
export type MetricKind = (typeof KINDS)[number];

export interface ScriptedMetric {
  readonly kind: MetricKind;
  /** Of one replica: whole units, or per cent for a utilisation. */
  readonly target: number;
}

export interface Tick {
  /** Load per metric in replicas' worth of its target: 3.2 keeps 3.2 replicas busy. */
  readonly load: readonly number[];
  /** Metrics that have no answer at all. */
  readonly lost: readonly boolean[];
  /** So many of the oldest pods have no sample. */
  readonly missing: number;
  /** So many of the first pods are Ready=False from this tick to the next. */
  readonly unready: number;
}

export interface Policy {
  readonly type: 'Pods' | 'Percent';
  readonly value: number;
  readonly periodSeconds: number;
}

export interface Rules {
  readonly stabilizationWindowSeconds?: number;
  readonly selectPolicy?: 'Max' | 'Min' | 'Disabled';
  readonly policies?: readonly Policy[];
  readonly tolerance?: string;
}

export interface Sequence {
  readonly seed: number;
  readonly metrics: readonly ScriptedMetric[];
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly startReplicas: number;
  readonly behavior?: { readonly scaleUp?: Rules; readonly scaleDown?: Rules };
  /** How a new pod starts: at once, Running but unready for a while, or Pending for a while. */
  readonly startUp: 'none' | 'unready' | 'pending';
  /** Whether deleted pods stay Terminating for a while. */
  readonly lingering: boolean;
  readonly ticks: readonly Tick[];
}

/** Start-up and lingering last so long: one look sees it, the next does not. */
export const DELAY_MS = 3300;

export function generate(seed: number): Sequence {
  const random = seeded(seed);
  const kinds: MetricKind[] = [KINDS[seed % KINDS.length] ?? 'ExternalAverage'];
  if (random.chance(0.25))
    kinds.push(random.pick(KINDS.filter((kind) => sourceOf(kind) !== sourceOf(kinds[0]))));
  const minReplicas = random.int(1, 2);
  const maxReplicas = random.int(6, 10);
  return {
    seed,
    metrics: kinds.map((kind) => ({ kind, target: targetFor(kind, random) })),
    minReplicas,
    maxReplicas,
    startReplicas: random.int(2, 4),
    ...(random.chance(0.35) ? {} : { behavior: behavior(random) }),
    startUp: random.pick(['none', 'none', 'unready', 'pending']),
    lingering: random.chance(0.3),
    ticks: ticks(random, kinds.length, maxReplicas),
  };
}

/** The API group that answers: two metrics of one sequence must not share a path. */
function sourceOf(kind: MetricKind | undefined): string {
  if (kind?.startsWith('External')) return 'external';
  if (kind?.startsWith('Object')) return 'object';
  return kind === 'PodsAverage' ? 'pods' : 'resource';
}

function targetFor(kind: MetricKind, random: Random): number {
  return kind === 'ResourceUtilization' || kind === 'ContainerUtilization'
    ? random.pick([45, 50, 60, 75, 120])
    : random.pick([7, 30, 50, 100]);
}

function behavior(random: Random): { scaleUp?: Rules; scaleDown?: Rules } {
  return {
    ...(random.chance(0.85) ? { scaleUp: rules(random, [0, 0, 3, 4]) } : {}),
    ...(random.chance(0.85) ? { scaleDown: rules(random, [0, 3, 4, 6]) } : {}),
  };
}

function rules(random: Random, windows: readonly number[]): Rules {
  return {
    ...(random.chance(0.8) ? { stabilizationWindowSeconds: random.pick(windows) } : {}),
    ...(random.chance(0.5)
      ? { selectPolicy: random.pick(['Max', 'Min', 'Max', 'Min', 'Disabled'] as const) }
      : {}),
    ...(random.chance(0.85)
      ? { policies: Array.from({ length: random.int(1, 2) }, () => policy(random)) }
      : {}),
    ...(random.chance(0.3) ? { tolerance: random.pick(['0', '0.05', '0.25']) } : {}),
  };
}

function policy(random: Random): Policy {
  const type = random.pick(['Pods', 'Percent'] as const);
  return {
    type,
    value: type === 'Pods' ? random.int(1, 3) : random.pick([10, 25, 50, 100]),
    periodSeconds: random.pick([3, 4, 6]),
  };
}

function ticks(random: Random, metrics: number, maxReplicas: number): Tick[] {
  const made: Tick[] = [];
  while (made.length < TICKS) {
    const level = random.next() * (maxReplicas + 2) + 0.2;
    // Two metrics are rarely of one mind.
    const levels = Array.from({ length: metrics }, (_, index) =>
      index === 0 ? level : level * random.pick([0.4, 0.9, 1.3]),
    );
    const missing = random.chance(0.25) ? random.int(1, 3) : 0;
    const unready = random.chance(0.2) ? 1 : 0;
    const lost = levels.map(() => random.chance(0.06));
    for (let left = random.int(2, 5); left > 0 && made.length < TICKS; left -= 1) {
      // A little noise puts ratios on both sides of the tolerance's edges.
      made.push({ load: levels.map((each) => each * (0.9 + random.next() * 0.2)), lost, missing, unready });
    }
  }
  return made;
}
