/**
 * How fast the model in the box answers: one forecast at a time, 64 in a run, and 64 in a run of each of two processes
 * at once, as two replicas of a model server would. Prints a JSON line per measurement (for machines) and a table (for
 * people). Run with `node operator/inference/inference.bench.ts [seconds]`.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../clock.ts';
import { dailyLoad, MINUTE, readerOf } from '../forecast/testing/series.ts';
import type { ForecastWindow } from '../forecast/types.ts';
import { buildWindow } from '../forecast/window.ts';
import { openModel } from './model.ts';
import { ChainedForecastService } from './service.ts';

interface Measurement {
  readonly bench: string;
  readonly batch: number;
  readonly runs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly seriesPerSecond: number;
  /** CPU time of this process per forecast: comparable also on a busy machine. */
  readonly cpuUsPerSeries: number;
}

const BATCH = 64;
const PROCESSES = 2;
/** Second argument of the processes that this bench starts of itself. */
const MEMBER = 'member';

const seconds = Number(process.argv[2] ?? 3);
const { signal } = new AbortController();
const box = fileURLToPath(new URL('../../models/loadcast/loadcast.onnx', import.meta.url));
const model = await openModel({ path: box }, { clock: systemClock });
if (model.state.phase !== 'ready') throw new Error(`the box model is ${model.state.phase}`);

const windows: ForecastWindow[] = Array.from({ length: 1000 }, (_, i) => {
  const minutes = i < 64 ? 15 * 1440 : 1024;
  return buildWindow(`series/${i}`, (minutes - 1) * MINUTE, MINUTE, readerOf(dailyLoad(minutes, i)));
});

async function measure(
  bench: string,
  batch: number,
  run: (first: number) => Promise<unknown>,
): Promise<Measurement> {
  const times: number[] = [];
  for (let i = 0; i < 20; i++) await run(0);
  const cpu = process.cpuUsage();
  const end = performance.now() + seconds * 1000;
  for (let i = 0; performance.now() < end; i++) {
    const started = performance.now();
    await run((i * batch) % (windows.length - batch + 1));
    times.push(performance.now() - started);
  }
  const { user, system } = process.cpuUsage(cpu);
  const sorted = times.sort((a, b) => a - b);
  const at = (level: number): number =>
    sorted[Math.min(Math.floor(level * sorted.length), sorted.length - 1)] ?? 0;
  const total = times.reduce((sum, time) => sum + time, 0) / 1000;
  return {
    bench,
    batch,
    runs: times.length,
    p50Ms: round(at(0.5)),
    p99Ms: round(at(0.99)),
    seriesPerSecond: Math.round((times.length * batch) / total),
    cpuUsPerSeries: Math.round((user + system) / (times.length * batch)),
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

const measureModel = (batch: number): Promise<Measurement> =>
  measure('box model', batch, (first) => model.forecast(windows.slice(first, first + batch), signal));

/** @throws when the process ends without an answer */
function answerOf(member: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    member.once('message', resolve);
    member.once('exit', (code) => reject(new Error(`a measuring process ended with code ${code}`)));
  });
}

/**
 * Both have loaded before either starts, so that neither has the machine for itself. Rates add up; of the times of a
 * run those of the slower process count.
 */
async function measureProcesses(): Promise<Measurement> {
  const members: ChildProcess[] = [];
  try {
    for (let i = 0; i < PROCESSES; i++) members.push(fork(import.meta.filename, [String(seconds), MEMBER]));
    await Promise.all(members.map(answerOf));
    const answers = members.map(answerOf);
    for (const member of members) member.send('go');
    const each = (await Promise.all(answers)) as Measurement[];
    const sum = (of: (one: Measurement) => number): number => each.reduce((total, one) => total + of(one), 0);
    return {
      bench: `box model, ${PROCESSES} processes`,
      batch: BATCH,
      runs: sum((one) => one.runs),
      p50Ms: Math.max(...each.map((one) => one.p50Ms)),
      p99Ms: Math.max(...each.map((one) => one.p99Ms)),
      seriesPerSecond: sum((one) => one.seriesPerSecond),
      cpuUsPerSeries: Math.round(sum((one) => one.cpuUsPerSeries) / PROCESSES),
    };
  } finally {
    for (const member of members) if (member.connected) member.disconnect();
  }
}

if (process.argv[3] === MEMBER) {
  process.send?.('ready');
  await once(process, 'message');
  process.send?.(await measureModel(BATCH));
  await once(process, 'disconnect');
  await model.close();
  process.exit();
}

const results: Measurement[] = [];
// oxlint-disable-next-line no-await-in-loop -- two measurements at once would measure each other
for (const batch of [1, 8, BATCH]) results.push(await measureModel(batch));
results.push(await measureProcesses());
const service = new ChainedForecastService(model, [], { clock: systemClock });
results.push(
  await measure('service, 1000 scalers at once', windows.length, () =>
    Promise.all(windows.map((window) => service.forecast(window, signal))),
  ),
);
await service.close();

const write = (line: string): void => void process.stdout.write(`${line}\n`);
for (const result of results) write(JSON.stringify(result));
write(`\n${model.id} on ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, one thread in each process`);
write('what                             batch   p50 ms   p99 ms   series/s   CPU us each');
for (const r of results) {
  const cells = [String(r.batch).padStart(5), r.p50Ms.toFixed(3).padStart(8), r.p99Ms.toFixed(3).padStart(8)];
  write(
    `${r.bench.padEnd(32)} ${cells.join(' ')} ${String(r.seriesPerSecond).padStart(10)} ${String(r.cpuUsPerSeries).padStart(13)}`,
  );
}
