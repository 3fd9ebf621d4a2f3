/** kube-controller-manager's own defaults of the flags that shape the reactive rule. */
import type { ReactiveTuning } from '../types.ts';

export const HPA_DEFAULTS: ReactiveTuning = {
  tolerance: 0.1,
  downscaleStabilizationMs: 300_000,
  cpuInitializationMs: 300_000,
  initialReadinessDelayMs: 30_000,
};
