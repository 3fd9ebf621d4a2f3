/** The flags of the HPA controller in this test, on both sides. */
import type { ReactiveTuning } from '../../operator/decision/types.ts';
import { DOWNSCALE_STABILIZATION_MS } from './sequence.ts';

export const TUNING: ReactiveTuning = {
  tolerance: 0.1,
  downscaleStabilizationMs: DOWNSCALE_STABILIZATION_MS,
  cpuInitializationMs: 15_000,
  initialReadinessDelayMs: 3_000,
};
