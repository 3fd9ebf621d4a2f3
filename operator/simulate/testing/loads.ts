/** Small loads for tests, and a forecaster that needs no model and next to no time. */
import { builtin } from '../../forecast/residuals.ts';
import type { Forecaster, QuantileForecast } from '../../forecast/types.ts';
import { generatedTraces, seededRandom, whiteNoise } from '../generated.ts';
import { type ForecastTape, recordTape } from '../tape.ts';
import type { Trace } from '../trace.ts';

export const MINUTE_MS = 60_000;

export function traceOf(values: readonly number[], name = 'test', stepMs = MINUTE_MS): Trace {
  return { name, startMs: Date.UTC(2026, 0, 5), stepMs, values: Float64Array.from(values) };
}

/** Three days of the generated load of this name. */
export function shortTrace(name: string, days = 3): Trace {
  const trace = generatedTraces(days).find((one) => one.name === name);
  if (trace === undefined) throw new Error(`no generated load is called ${name}`);
  return trace;
}

export function noise(days: number, seed = 1): Trace {
  return whiteNoise(days, seededRandom(seed));
}

/** A day's rhythm with minutes that differ as web requests do: HPA is short now and then, whatever its headroom. */
export function bursty(days: number, seed = 1): Trace {
  const random = seededRandom(seed);
  const values = Array.from({ length: days * 1440 }, (_, i) => {
    const noisy = Math.exp(0.8 * (random() + random() + random() - 1.5));
    return Math.round(200 * (1 - 0.8 * Math.cos((2 * Math.PI * i) / 1440)) * noisy);
  });
  return traceOf(values, 'bursty');
}

const LEVELS = [0.1, 0.5, 0.9, 0.99] as const;
const STEPS = 16;

/** "As now", with the range of the last quarter of an hour around it. */
export const quick: Forecaster = {
  id: 'quick',
  async forecast(windows) {
    return windows.map(({ context, originMs, stepMs }): QuantileForecast => {
      const recent = context
        .slice(-15)
        .filter((value) => !Number.isNaN(value))
        .sort();
      const now = recent[Math.floor(recent.length / 2)] ?? 0;
      const row = [recent[0] ?? now, now, recent.at(-1) ?? now, 1.2 * (recent.at(-1) ?? now)];
      const values = Float32Array.from(
        { length: STEPS * LEVELS.length },
        (_, i) => row[i % LEVELS.length] ?? now,
      );
      return { originMs, stepMs, horizon: STEPS, levels: LEVELS, values, model: builtin('quick') };
    });
  },
};

export function quickTape(trace: Trace, forecasters: readonly Forecaster[] = [quick]): Promise<ForecastTape> {
  return recordTape(trace, forecasters, { horizon: 12 }, new AbortController().signal);
}
