/**
 * Gate `Contract`: the file is one that the operator and `foresail serve` would take. It loads where foreign files
 * load, answers its golden vectors, answers odd loads with finite and ordered quantiles, and answers a window the same
 * whatever stands beside it.
 */
import { messageOf } from '../errors.ts';
import { faultOf } from '../forecast/guard.ts';
import type { ForecastWindow } from '../forecast/types.ts';
import { buildWindow } from '../forecast/window.ts';
import type { OnnxModel } from '../inference/types.ts';
import { type GoldenVectors, goldenDifference } from './golden.ts';
import type { GateResult } from './types.ts';

export interface ContractGateInput {
  readonly candidate: OnnxModel;
  /** As `parseGolden` gave it: a text says why there are none. */
  readonly golden: GoldenVectors | string;
  /** Hex digest of the candidate's file. */
  readonly sha256: string;
}

const STEP_MS = 60_000;
const DAY_STEPS = 1440;
/** Largest difference between a window alone and in a batch, as a share of the load. */
const SAME = 1e-4;
const REQUIRED = { goldenCases: 1, oddLoads: 0 } as const;

export async function contractGate(
  { candidate, golden, sha256 }: ContractGateInput,
  signal: AbortSignal,
): Promise<GateResult> {
  const { state } = candidate;
  const result = (verdict: GateResult['verdict'], message: string, refused: number | null): GateResult => ({
    name: 'Contract',
    verdict,
    measured: { goldenCases: typeof golden === 'string' ? 0 : golden.cases.length, oddLoads: refused },
    required: REQUIRED,
    message,
  });
  if (state.phase !== 'ready')
    return result(
      'Fail',
      `it is refused: ${'reason' in state ? `${state.reason}: ` : ''}${state.message}`,
      null,
    );
  if (typeof golden === 'string') return result('Fail', golden, null);
  if (golden.modelSha256 !== sha256) return result('Fail', 'golden.json is of another file', null);
  try {
    const different = await goldenDifference(candidate, golden, signal);
    if (different !== undefined) return result('Fail', different, null);
    const refused = await refusedLoads(candidate, signal);
    if (refused.length > 0) return result('Fail', refused.join('; '), refused.length);
    return result('Pass', `${golden.cases.length} golden cases are equal, odd loads are answered`, 0);
  } catch (error) {
    signal.throwIfAborted();
    return result('Fail', `it does not answer: ${messageOf(error)}`, null);
  }
}

/** Loads that a scaler meets one day, and models were seldom trained on. */
const ODD: readonly (readonly [name: string, load: (step: number) => number])[] = [
  ['nothing but zero', () => 0],
  ['a constant', () => 7],
  ['a ramp', (step) => step],
  ['a very large load', (step) => 1e9 * (2 + Math.sin((2 * Math.PI * step) / DAY_STEPS))],
  ['a very small load', (step) => 1e-6 * (2 + Math.sin((2 * Math.PI * step) / DAY_STEPS))],
  ['one spike', (step) => (step % DAY_STEPS === 700 ? 1e4 : 10)],
  ['every other value unknown', (step) => (step % 2 === 0 ? Number.NaN : 50 + (step % 60))],
  ['an hour of history', (step) => (step < 15 * DAY_STEPS - 60 ? Number.NaN : 40 + (step % 7))],
];

async function refusedLoads(candidate: OnnxModel, signal: AbortSignal): Promise<string[]> {
  const windows = ODD.map(([name, load]) => windowOf(name, load));
  const together = await candidate.forecast(windows, signal);
  const complaints: string[] = [];
  for (const [i, window] of windows.entries()) {
    const forecast = together[i];
    const fault = forecast === undefined ? 'is missing' : faultOf(forecast, window);
    if (fault !== undefined) complaints.push(`of ${window.key} the forecast ${fault}`);
    // oxlint-disable-next-line no-await-in-loop -- alone is what is asked
    const [alone] = await candidate.forecast([window], signal);
    const scale = window.context.reduce((most, value) => (value > most ? value : most), 1e-9);
    const differs = forecast?.values.some(
      (value, k) => !(Math.abs(value - (alone?.values[k] ?? Number.NaN)) <= SAME * scale),
    );
    if (fault === undefined && differs === true)
      complaints.push(`of ${window.key} the forecast changes with what is asked beside it`);
  }
  return complaints;
}

function windowOf(name: string, load: (step: number) => number): ForecastWindow {
  const last = 15 * DAY_STEPS - 1;
  return buildWindow(name, last * STEP_MS, STEP_MS, (endMs, _stepMs, count) => {
    const end = Math.round(endMs / STEP_MS);
    return Float64Array.from({ length: count }, (_, i) => {
      const step = end - count + 1 + i;
      return step < 0 || step > last ? Number.NaN : load(step);
    });
  });
}
