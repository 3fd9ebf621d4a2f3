import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { peakOf } from '../decision/need/peak.ts';
import { type LeadConditions, leadWindow, readySteps } from '../forecast/lead-window.ts';

const MINUTE = 60_000;
const SECOND = 1000;

const conditions = fc.record<LeadConditions>({
  stepMs: fc.constantFrom(MINUTE, 2 * MINUTE, 5 * MINUTE),
  metricDelayMs: fc.integer({ min: 0, max: 180 }).map((s) => s * SECOND),
  leadMs: fc.integer({ min: 0, max: 900 }).map((s) => s * SECOND),
  decisionMs: fc.constantFrom(5 * SECOND, 15 * SECOND, 30 * SECOND),
});

/** Which steps of a load are looked at: a path whose step i says i, read as the metric will be read. */
function lookedAt(nowMs: number, own: LeadConditions, fromMs: number): number {
  const { stepMs, metricDelayMs } = own;
  // The load of step 0 is read when the step and the delay are over, and the path is one of readings.
  const originMs = stepMs + metricDelayMs;
  const loadMilli = Float64Array.from({ length: 64 }, (_, i) => i);
  const peak = peakOf({ originMs, stepMs, loadMilli }, { ...leadWindow(nowMs, own), fromMs }, false);
  return peak.kind === 'peak' ? peak.milli : Number.NaN;
}

describe('the window reaches to the last step that begins before the ordered replicas are relieved', () => {
  test('at a rate over a minute, read half a minute late', () => {
    const own = {
      stepMs: MINUTE,
      metricDelayMs: 30 * SECOND,
      leadMs: 60 * SECOND,
      decisionMs: 15 * SECOND,
    };
    // The load of [0, 60) s is known at 90 s. Ordered then, ready at 150 s, relieved at 165 s: within minute 2.
    expect(lookedAt(90 * SECOND, own, 90 * SECOND)).toBe(2);
    // Fifteen seconds later the next minute begins just as they are relieved, another fifteen and it counts.
    expect(lookedAt(105 * SECOND, own, 105 * SECOND)).toBe(2);
    expect(lookedAt(120 * SECOND, own, 120 * SECOND)).toBe(3);
  });

  test('whatever step, delay, start-up and interval', () => {
    fc.assert(
      fc.property(conditions, fc.integer({ min: 0, max: 59 }), (own, second) => {
        const { stepMs, metricDelayMs, leadMs, decisionMs } = own;
        const nowMs = stepMs + metricDelayMs + second * SECOND;
        const relievedMs = nowMs + leadMs + decisionMs;
        const last = lookedAt(nowMs, own, nowMs);
        expect(last * stepMs).toBeLessThan(relievedMs);
        expect((last + 1) * stepMs).toBeGreaterThanOrEqual(relievedMs);
      }),
    );
  });
});

test('the first step that is served whole begins when the replicas are ready, or later', () => {
  fc.assert(
    fc.property(conditions, (own) => {
      const { stepMs, metricDelayMs, leadMs } = own;
      // Ordered when the load of step 0 is read first.
      const nowMs = stepMs + metricDelayMs;
      const first = readySteps(leadWindow(nowMs, own), stepMs);
      expect(first * stepMs).toBeGreaterThanOrEqual(nowMs + leadMs);
      expect((first - 1) * stepMs).toBeLessThan(nowMs + leadMs);
    }),
  );
});
