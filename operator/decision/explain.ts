/** The decision in words and in numbers: one sentence for people, and the inputs that it was made from. */
import type { MetricReading, Observation } from '../observation.ts';
import type { ModeRules } from './modes.ts';
import { countReadyPods } from './reactive/pod-groups.ts';
import type { BoundBy, DecisionInput, DecisionStep, Explanation, ReadingSummary } from './types.ts';

export function explain(
  input: DecisionInput,
  readings: readonly Observation<MetricReading>[],
  mode: ModeRules,
  steps: readonly DecisionStep[],
  desired: number,
): Explanation {
  return {
    sentence: sentence(input.specReplicas, desired, mode, steps),
    inputs: {
      specReplicas: input.specReplicas,
      statusReplicas: input.statusReplicas,
      minReplicas: input.spec.minReplicas,
      maxReplicas: input.spec.maxReplicas,
      pods: { total: input.pods.length, ready: countReadyPods(input.pods) },
      readings: readings.map(summary),
      window: input.window,
      activeSchedules: input.activeSchedules,
    },
    steps,
  };
}

/** The step that had the last word: the last one that changed the number, or the first, which proposed it. */
export function bindingStep(steps: readonly DecisionStep[]): DecisionStep | undefined {
  return steps.findLast(({ from, to }, index) => index === 0 || from !== to || isHold(steps[index]));
}

function isHold(step: DecisionStep | undefined): boolean {
  return step?.step === 'GlobalPause' || step?.step === 'Pause' || step?.step === 'Freeze';
}

function sentence(
  current: number,
  desired: number,
  { writes, note }: ModeRules,
  steps: readonly DecisionStep[],
): string {
  const move =
    desired === current
      ? `Keeps ${replicas(current)}`
      : `${writes ? '' : 'Would '}${writes ? capital(verb(current, desired)) : infinitive(current, desired)} from ${current} to ${replicas(desired)}`;
  const first = steps[0];
  const binding = bindingStep(steps);
  const why = first === undefined ? '' : `: ${SOURCE[first.step] ?? first.step} (${first.note})`;
  const bound =
    binding === undefined || binding === first
      ? ''
      : ` asked for ${first?.to}, ${SOURCE[binding.step] ?? binding.step} made it ${binding.to} (${binding.note})`;
  return `${move}${why}${bound}.${note === undefined ? '' : ` ${note}.`}`;
}

const SOURCE: Partial<Record<BoundBy, string>> = {
  Reactive: 'the reactive rule',
  Forecast: 'the forecast',
  LastForecast: 'the last valid forecast',
  SeasonalProfile: 'the seasonal profile',
  Fallback: 'spec.fallback',
  Hold: 'holding',
  Schedule: 'a schedule',
  Min: 'minReplicas',
  Max: 'maxReplicas',
  ScaleUpStabilization: 'stabilisation of scale-up',
  ScaleDownStabilization: 'stabilisation of scale-down',
  ScaleUpPolicy: 'the scale-up policies',
  ScaleDownPolicy: 'the scale-down policies',
  ScaleUpLimit: 'the limit of doubling',
  StepLimit: 'the largest step',
  CreationLimit: 'the creation budget',
  GlobalPause: 'the global pause',
  Pause: 'the pause',
  Freeze: 'the freeze',
  Disabled: 'scaling is off',
};

function replicas(count: number): string {
  return count === 1 ? '1 replica' : `${count} replicas`;
}

function verb(current: number, desired: number): string {
  return desired > current ? 'raises' : 'lowers';
}

function infinitive(current: number, desired: number): string {
  return desired > current ? 'raise' : 'lower';
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function summary(reading: Observation<MetricReading>): ReadingSummary {
  if (reading.kind === 'unknown') return reading;
  const { value, at } = reading;
  if (value.form === 'total') return { kind: 'total', milli: value.milli, series: value.series, at };
  let sumMilli = 0;
  for (const { milli } of value.samples.values()) sumMilli += milli;
  return { kind: 'perPod', samples: value.samples.size, sumMilli, at };
}
