/** `make bench`: speed and memory of the operator. N=100 gives a quick look at fewer scalers, VERDICTS=32 a longer one at verdicts. */
import { benchDecisions, type DecisionFigures } from './decisions.ts';
import { benchForecasts, type ForecastFigures } from './forecasts.ts';
import { machineLine, observeMachine } from './machine.ts';
import { quantile, ratio, short } from './numbers.ts';
import { say, setting, table, writeJson } from './report.ts';
import { benchSteady, type SteadyFigures } from './steady.ts';
import { benchVerdicts, type VerdictFigures } from './verdicts.ts';

const scalers = setting('N', 1000);
const steadyMs = setting('STEADY', 60) * 1000;
const replayed = setting('VERDICTS', 8);
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
const { signal } = interrupted;

const machine = observeMachine();
say('forecasts');
const forecasts = await benchForecasts(signal);
say(`decisions over ${scalers} scalers`);
const decisions = await benchDecisions(scalers, signal);
say(`verdicts on ${replayed} scalers`);
const verdicts = await benchVerdicts(replayed, scalers, signal);
say('the whole operator beside a real API server');
const steady = await benchSteady(scalers, steadyMs, signal);
const observed = machine();
process.stdout.write(
  `${[machineLine(observed), forecastTable(forecasts), decisionTable(decisions), verdictTable(verdicts), steadyTable(steady)].join('\n\n')}\n`,
);
say(`as JSON: ${writeJson('bench', { machine: observed, forecasts, decisions, verdicts, steady })}`);

function forecastTable(figures: readonly ForecastFigures[]): string {
  const single = figures.find(({ batch }) => batch === 1)?.seriesPerSecond ?? Number.NaN;
  return table([
    [
      'forecast, model in the box, one thread a process',
      'batch',
      'p50 ms',
      'p99 ms',
      'series/s',
      'against one by one',
    ],
    ...figures.map(({ bench, batch, p50Ms, p99Ms, seriesPerSecond }) => [
      bench,
      String(batch),
      short(p50Ms),
      short(p99Ms),
      short(seriesPerSecond),
      ratio(seriesPerSecond, single),
    ]),
  ]);
}

function decisionTable({
  scalers: count,
  burst,
  unbatched,
  spread,
  historyMiB,
  rssMiB,
}: DecisionFigures): string {
  return table([
    [`decisions over ${count} scalers, without metric fetch`, 'figure', 'against batches of one'],
    [
      'decisions/s, all due at once, forecasts batched',
      short(burst.decisionsPerSecond),
      ratio(burst.decisionsPerSecond, unbatched.decisionsPerSecond),
    ],
    ['mean batch', short(burst.meanBatch)],
    [
      'CPU ms per decision',
      short(burst.cpuMsPerDecision),
      ratio(burst.cpuMsPerDecision, unbatched.cpuMsPerDecision),
    ],
    ['one decision, all due at once, 64 in work (ms): p50', short(burst.p50Ms)],
    ['  p99', short(burst.p99Ms)],
    ['one decision, due evenly over 15 s (ms): p50', short(spread.p50Ms)],
    ['  p99 (goal: 50)', short(spread.p99Ms)],
    ['  cores in use', short(spread.cores)],
    ['15 days of history in memory (MiB)', short(historyMiB)],
    ['RSS of this process with it (MiB)', short(rssMiB)],
  ]);
}

function verdictTable(figures: VerdictFigures): string {
  const { scalers: count, days, cpuSecondsPerVerdict, cpuSecondsPerDay, rssGrowthMiB, fleet } = figures;
  return table([
    [`verdicts, replays of ${days} days of minutes of ${count} scalers`, 'figure'],
    ['CPU s per verdict', short(cpuSecondsPerVerdict)],
    ['CPU s per scaler and day, alone', short(cpuSecondsPerDay)],
    ['RSS that replaying adds (MiB), whatever the fleet', short(rssGrowthMiB)],
    [
      `among ${fleet.scalers} scalers, with the rests between replays: hours between two verdicts on one`,
      short(fleet.roundHours),
    ],
    ['  CPU s per scaler and day', short(fleet.cpuSecondsPerScalerDay)],
    ['  cores in use', short(fleet.cores)],
  ]);
}

function steadyTable(figures: SteadyFigures): string {
  const {
    scalers: count,
    minutes,
    boots,
    workingSeconds,
    calls,
    connections,
    writes,
    cores,
    rssMiB,
  } = figures;
  const { 'update leases': lease = 0, ...others } = writes;
  const other = Object.values(others).reduce((sum, n) => sum + n, 0);
  return table([
    [`operator with ${count} scalers on a real API server, ${minutes} min of steady state`, 'figure'],
    ['control plane, start to Ready (s), median', short(quantile(boots, 0.5))],
    ['  slowest of the boots', short(Math.max(...boots))],
    ['apply to working (s): p50', short(workingSeconds.p50)],
    ['  all', short(workingSeconds.all)],
    ['API calls per minute', short(calls / minutes)],
    ['API writes per minute, Lease', short(lease / minutes)],
    ['API writes per minute, anything else (goal: 0)', short(other / minutes)],
    ...Object.entries(others).map(([kind, n]) => [`  ${kind}`, short(n / minutes)]),
    ['connections to the API server that stand, watches included', String(connections.open)],
    ['connections opened per 1,000 calls', short((1000 * connections.opened) / calls)],
    ['RSS (MiB)', short(rssMiB)],
    ['CPU (cores)', short(cores)],
  ]);
}
