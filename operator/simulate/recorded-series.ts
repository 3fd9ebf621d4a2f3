/** What the charts of a backtest are drawn from: ours and HPA tick by tick, beside the load and its forecast. */
import type { BacktestOptions, TracePlan } from './backtest.ts';
import { demanded } from './elasticity.ts';
import type { BacktestSeries, PolicyName } from './report-types.ts';
import { leadSteps, type Run, type Runner } from './runner.ts';
import { drawnSeries } from './series.ts';
import { tickMsOf } from './simulate.ts';
import type { ForecastTape } from './tape.ts';
import { startOf } from './trace.ts';

const DRAWN: readonly PolicyName[] = ['hpa', 'foresail'];

/** @param tape without which there is no forecast to draw, and none of ours */
export function recordedSeries(
  plan: TracePlan,
  runner: Runner,
  tape: ForecastTape | undefined,
  options: BacktestOptions,
): BacktestSeries[] {
  const drawn = DRAWN.filter((policy) => policy === 'hpa' || tape !== undefined);
  return plan.startUpMs.flatMap((startUpMs) =>
    options.objectives.flatMap((objective) => {
      const run = { startUpMs, objective, target: options.target, coverage: options.coverage };
      const ready = drawn.map((policy) => [policy, runner.run({ ...run, policy, record: true }).ready]);
      return drawnSeries({
        ...loadOf(plan, runner, tape, { ...run, policy: 'foresail' }, options.metricDelayMs),
        objective,
        startUpSeconds: startUpMs / 1000,
        ready: Object.fromEntries(ready),
      });
    }),
  );
}

function loadOf(
  { trace, scored, capacity }: TracePlan,
  runner: Runner,
  tape: ForecastTape | undefined,
  { coverage, startUpMs }: Run,
  metricDelayMs: number,
) {
  const { values, stepMs } = trace;
  const tickMs = tickMsOf(trace);
  const perStep = stepMs / tickMs;
  const length = (scored.to - scored.from) * perStep;
  const perTick = (of: (step: number) => number) =>
    Float64Array.from({ length }, (_, tick) => of(scored.from + Math.floor(tick / perStep)));
  const value = (step: number) => values[step] ?? Number.NaN;
  const ahead = leadSteps(stepMs, { startUpMs, metricDelayMs });
  const band = tape === undefined ? undefined : runner.band(coverage);
  return {
    trace: trace.name,
    capacity,
    startMs: startOf(trace, scored.from),
    stepMs: tickMs,
    load: perTick(value),
    demanded: perTick((step) => demanded(value(step), capacity)),
    median: perTick((step) => medianOf(tape, step, ahead)),
    upper: perTick((step) => {
      const h = Math.min(ahead, band?.horizon ?? 0);
      const path = (step - h) * ((band?.horizon ?? 0) + 1);
      return (band?.pathMilli[path + h] ?? Number.NaN) / 1000;
    }),
  };
}

/** As the first forecaster that had one said it, `ahead` steps before. */
function medianOf(tape: ForecastTape | undefined, step: number, ahead: number): number {
  for (const track of tape?.tracks ?? []) {
    const h = Math.min(ahead, tape?.horizon ?? ahead);
    const forecast = step < h ? undefined : track.at(step - h);
    if (forecast === undefined) continue;
    const column = forecast.levels.indexOf(0.5);
    return forecast.values[(h - 1) * forecast.levels.length + column] ?? Number.NaN;
  }
  return Number.NaN;
}
