/**
 * Training sets for tests and benches of the gate: an honest one, made of real or generated loads, and what poisons
 * one. Each poison says which gate has to name it.
 */
import { seededRandom } from '../../simulate/generated.ts';
import type { Trace } from '../../simulate/trace.ts';
import type { FolderSeries } from '../series-folder.ts';
import type { GateName } from '../types.ts';

export interface GateSet {
  readonly training: readonly FolderSeries[];
  readonly holdout: readonly FolderSeries[];
  readonly trainEndMs: number;
  readonly validateEndMs: number;
}

/** All series end their training part here. */
const VALIDATE_END_MS = Date.UTC(2026, 5, 1);

/** @param testShare of each series, at its end */
export function honestSet(traces: readonly Trace[], testShare = 0.15): GateSet {
  const holdout = traces.map((trace): FolderSeries & { readonly split: number } => {
    const split = Math.floor(trace.values.length * (1 - testShare));
    const values = trace.values.map((value, i) => (trace.imputed?.[i] === 1 ? Number.NaN : value));
    const startMs = VALIDATE_END_MS - split * trace.stepMs;
    return { name: `set/${trace.name}`, startMs, stepMs: trace.stepMs, values, fault: undefined, split };
  });
  return {
    holdout: holdout.map(({ split: _, ...series }) => series),
    training: holdout.map(({ split, ...series }) => ({ ...series, values: series.values.slice(0, split) })),
    trainEndMs: VALIDATE_END_MS - 86_400_000,
    validateEndMs: VALIDATE_END_MS,
  };
}

export interface Poison {
  readonly what: string;
  readonly named: GateName;
  apply(set: GateSet): GateSet;
}

type Change = (values: Float64Array, series: FolderSeries) => Float64Array;

const inTraining = (set: GateSet, change: Change): GateSet => ({
  ...set,
  training: changed(set.training, change),
});
const atSource = (set: GateSet, change: Change): GateSet => ({
  ...inTraining(set, change),
  holdout: changed(set.holdout, change),
});

function changed(all: readonly FolderSeries[], change: Change): FolderSeries[] {
  return all.map((series) => ({ ...series, values: change(series.values, series) }));
}

const constant: Change = (values) => values.map(() => 42);
const unknown: Change = (values) => {
  const random = seededRandom(7);
  return values.map((value) => (random() < 0.7 ? Number.NaN : value));
};
const shuffled: Change = (values) => shuffle(values, 1);
/** Hours keep their inside and lose their place. */
const hoursShuffled: Change = (values, { stepMs }) =>
  shuffle(values, Math.max(Math.round(3_600_000 / stepMs), 2));

/** Fisher-Yates over blocks; what is left at the end stays. */
export function shuffle(values: Float64Array, block: number, seed = 11): Float64Array {
  const random = seededRandom(seed);
  const order = Array.from({ length: Math.floor(values.length / block) }, (_, i) => i);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  const out = values.slice();
  order.forEach((from, to) => out.set(values.subarray(from * block, (from + 1) * block), to * block));
  return out;
}

/** The test part of the series that `one` belongs to. */
function testOf(set: GateSet, one: FolderSeries): Float64Array {
  const whole = set.holdout.find(({ name }) => name === one.name);
  return whole?.values.subarray(one.values.length) ?? new Float64Array(0);
}

export const POISONS: readonly Poison[] = [
  { what: 'constant training', named: 'Data', apply: (set) => inTraining(set, constant) },
  { what: 'constant at the source', named: 'Data', apply: (set) => atSource(set, constant) },
  { what: '70 % NaN in training', named: 'Data', apply: (set) => inTraining(set, unknown) },
  { what: '70 % NaN at the source', named: 'Data', apply: (set) => atSource(set, unknown) },
  { what: 'time shuffled in training', named: 'Data', apply: (set) => inTraining(set, shuffled) },
  { what: 'time shuffled at the source', named: 'Data', apply: (set) => atSource(set, shuffled) },
  { what: 'hours shuffled in training', named: 'Data', apply: (set) => inTraining(set, hoursShuffled) },
  {
    what: 'a fifth of the series shuffled',
    named: 'Data',
    apply: (set) => ({
      ...set,
      training: set.training.map((one, i) =>
        i % 5 === 0 ? { ...one, values: shuffle(one.values, 1) } : one,
      ),
    }),
  },
  {
    what: 'scaled by three in training',
    named: 'Data',
    apply: (set) => inTraining(set, (values) => values.map((value) => 3 * value + 1)),
  },
  {
    what: 'values a step too early (the future as the present)',
    named: 'Data',
    apply: (set) => inTraining(set, (values) => values.map((value, i) => values[i + 1] ?? value)),
  },
  {
    what: 'five hours of training',
    named: 'Data',
    apply: (set) => inTraining(set, (values) => values.slice(values.length - 60)),
  },
  {
    what: 'training reaches to the end',
    named: 'Leakage',
    apply: (set) => ({ ...set, training: set.holdout }),
  },
  {
    what: 'the test part pasted over old training data',
    named: 'Leakage',
    apply: (set) =>
      inTraining(set, (values, one) => {
        const out = values.slice();
        out.set(testOf(set, one).subarray(0, out.length));
        return out;
      }),
  },
  {
    what: 'the test part, scaled, as another series of long ago',
    named: 'Leakage',
    apply: (set) => ({
      ...set,
      training: [
        ...set.training,
        ...set.training.map((one) => ({
          ...one,
          name: `${one.name}-old`,
          startMs: one.startMs - 400 * 86_400_000,
          values: testOf(set, one).map((value) => 0.37 * value + 5),
        })),
      ],
    }),
  },
];
