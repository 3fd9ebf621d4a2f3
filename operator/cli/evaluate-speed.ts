/** How fast a forecaster answers here and now: one window at a time, and in batches where it takes them. */
import { readFile } from 'node:fs/promises';
import type { ForecastWindow } from '../forecast/types.ts';
import type { SpeedResult } from '../simulate/accuracy/report-types.ts';
import { type Scene, windowAt } from '../simulate/accuracy/scene.ts';
import type { Opened } from './evaluate-models.ts';

const SINGLES = 300;
const BATCH = 256;
const BATCHES = 12;
/** A slow one is measured for this long, and that has to do. */
const PATIENCE_MS = 3000;

/**
 * Consecutive windows of one load, so that what a forecaster keeps between them counts as it does in the operator.
 *
 * @returns undefined when the load is too short to measure on, or the forecaster does not answer
 */
export async function measureSpeed(
  { about, contender, onnx, fileBytes }: Opened,
  scene: Scene,
  signal: AbortSignal,
): Promise<SpeedResult | undefined> {
  const count = Math.min(SINGLES + 10, scene.seen.length - 1);
  if (contender === undefined || count < 20) return undefined;
  const windows = Array.from({ length: count }, (_, i) => windowAt(scene, scene.seen.length - count + i));
  const forecasters = contender.open();
  const isBatched = contender.batch > 1 && forecasters.length === 1;
  const before = residentOf(process.pid);
  const time = async (some: readonly ForecastWindow[]): Promise<number> => {
    const started = performance.now();
    // oxlint-disable-next-line no-await-in-loop -- one after the other, as in the operator
    for (const forecaster of forecasters) await forecaster.forecast(some, signal);
    return performance.now() - started;
  };
  const times: number[] = [];
  let batches = { windows: 0, ms: 0 };
  try {
    for (const window of windows.slice(0, 10)) await time([window]);
    const deadline = performance.now() + PATIENCE_MS;
    for (const window of windows.slice(10)) {
      if (performance.now() < deadline) times.push(await time([window]));
    }
    if (isBatched) {
      const many = Array.from({ length: BATCH }, (_, i) => windows[i % windows.length]).filter(
        (w) => w !== undefined,
      );
      for (let i = 0; i < BATCHES && performance.now() < deadline + PATIENCE_MS; i++) {
        batches = { windows: batches.windows + many.length, ms: batches.ms + (await time(many)) };
      }
    } else {
      batches = { windows: times.length, ms: times.reduce((sum, ms) => sum + ms, 0) };
    }
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
  if (times.length === 0) return undefined;
  const pid = onnx !== undefined && 'pid' in onnx && typeof onnx.pid === 'number' ? onnx.pid : undefined;
  const resident = await residentOf(pid ?? process.pid);
  const growth = pid === undefined ? minus(resident, await before) : resident;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (level: number): number =>
    round(sorted[Math.min(Math.floor(level * sorted.length), sorted.length - 1)] ?? 0);
  return {
    model: about.model,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    batch: isBatched ? BATCH : 1,
    seriesPerSecond: Math.round((batches.windows / batches.ms) * 1000),
    fileBytes,
    memoryMiB: growth === undefined ? null : Math.round(growth / 1024 / 102.4) / 10,
  };
}

/** Resident memory of a process in bytes, from /proc. */
async function residentOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

function minus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.max(a - b, 0);
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
