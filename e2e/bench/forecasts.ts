/** Speed of the model itself: asks the bench of `operator/inference`, which prints a JSON line per measurement. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface ForecastFigures {
  readonly bench: string;
  readonly batch: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly seriesPerSecond: number;
  readonly cpuUsPerSeries: number;
}

const BENCH = join(import.meta.dirname, '../../operator/inference/inference.bench.ts');
const SECONDS = '3';

export async function benchForecasts(signal: AbortSignal): Promise<readonly ForecastFigures[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [BENCH, SECONDS], { signal });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as ForecastFigures);
}
