/** What the generated loads are there for: where nothing can be foreseen, we are no worse than a reactive rule. */
import { expect, test } from '@jest/globals';
import { createRunner } from './runner.ts';
import { quickTape, shortTrace } from './testing/loads.ts';

const DAY = 1440;

test('spikes out of nowhere cost no more than they cost HPA, and leave it short for no longer', async () => {
  const trace = shortTrace('generated_spikes', 4);
  const runner = createRunner(trace, await quickTape(trace), {
    metricDelayMs: 60_000,
    capacity: 12,
    scored: { from: 2 * DAY, to: 4 * DAY },
  });
  const shared = { startUpMs: 600_000, target: 0.7, objective: 'efficiency', coverage: 0.99 } as const;
  const hpa = runner.run({ ...shared, policy: 'hpa' });
  const ours = runner.run({ ...shared, policy: 'foresail' });
  expect(ours.replicaHours).toBeLessThan(hpa.replicaHours);
  expect(ours.tauU).toBeLessThan(Math.max(1, 1.2 * hpa.tauU));
});
