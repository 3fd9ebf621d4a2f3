import { describe, expect, test } from '@jest/globals';
import type { QuantileForecast } from '../forecast/types.ts';
import { seededRandom } from '../simulate/generated.ts';
import { Desk, type DeskOptions } from './desk.ts';

const MINUTE = 60_000;
const LEVELS = [0.1, 0.5, 0.9];

/** A band of 20 around a middle, as far ahead as asked. */
function around(middle: number, originMs: number, stepMs = MINUTE, horizon = 16): QuantileForecast {
  const row = [middle - 10, middle, middle + 10];
  return {
    originMs,
    stepMs,
    horizon,
    levels: LEVELS,
    values: Float32Array.from({ length: horizon * LEVELS.length }, (_, i) => row[i % LEVELS.length] ?? 0),
    model: { name: 'm', version: '1', digest: 'sha256:aa' },
  };
}

const random = seededRandom(5);
const loads = Float64Array.from({ length: 20_000 }, () => 90 + 20 * random());

interface Series {
  readonly series: string;
  readonly stepMs: number;
  readonly leadMs: number;
}

const WEB: Series = { series: 'web', stepMs: MINUTE, leadMs: 3 * MINUTE };

function deskOf(options: Partial<DeskOptions> = {}, state?: Desk['state']): Desk {
  const read = (_: string, startMs: number) => loads[startMs / MINUTE] ?? Number.NaN;
  return new Desk({ margin: 0.05, minLabels: 100, read, ...options }, state);
}

/** Lets both versions forecast from every step in [from, to), in minutes. */
function run(
  desk: Desk,
  [from, to]: readonly [number, number],
  candidate: (minute: number) => number | undefined,
  all: readonly Series[] = [WEB],
): void {
  for (let minute = from; minute < to; minute++) {
    const nowMs = minute * MINUTE;
    for (const one of all) {
      if (nowMs % one.stepMs !== 0) continue;
      const middle = candidate(minute);
      desk.note({
        ...one,
        baseline: around(100, nowMs, one.stepMs),
        candidate: middle === undefined ? undefined : around(middle, nowMs, one.stepMs),
      });
    }
    desk.settle(nowMs);
  }
}

describe('the desk', () => {
  test('says nothing before the first loads are known', () => {
    const desk = deskOf();
    expect(desk.verdict()).toBeUndefined();
    run(desk, [0, 2], () => 100);
    expect(desk.verdict()).toBeUndefined();
    run(desk, [2, 3], () => 100);
    expect(desk.verdict()).toMatchObject({ verdict: 'Inconclusive', reason: 'NoLabels', labels: 0 });
    // Three origins, two leads, two versions.
    expect(desk.verdict()?.waiting).toBe(12);
  });

  test('a version that is worse goes back, one that is as good is promoted', () => {
    const worse = deskOf();
    run(worse, [0, 1_500], () => 140);
    expect(worse.verdict()).toMatchObject({ verdict: 'Rollback', reason: 'CanaryWorse' });
    const good = deskOf();
    run(good, [0, 1_500], () => 100.1);
    expect(good.verdict()).toMatchObject({ verdict: 'Promote', reason: 'CanaryNotWorse' });
  });

  test('goes on from what it told of itself as if nothing had happened', () => {
    const whole = deskOf();
    run(whole, [0, 600], () => 103);
    const first = deskOf();
    run(first, [0, 300], () => 103);
    const second = deskOf({}, JSON.parse(JSON.stringify(first.state)));
    run(second, [300, 600], () => 103);
    // What waited for its load at the restart is lost, and nothing else.
    const [a, b] = [whole.verdict(), second.verdict()];
    expect(b?.labels).toBeGreaterThan((a?.labels ?? 0) - 12);
    expect(b?.effect).toBeCloseTo(a?.effect ?? Number.NaN, 2);
    expect(second.state?.leads).toEqual({ baseMs: MINUTE, leadsMs: [MINUTE, 3 * MINUTE] });
  });

  test('series of other cadences take part in the leads that their step divides', () => {
    const slow: Series = { series: 'slow', stepMs: 5 * MINUTE, leadMs: 10 * MINUTE };
    const others = ['a', 'b'].map((series) => ({ ...slow, series }));
    const desk = deskOf();
    run(desk, [0, 400], () => 100, [WEB, ...others]);
    expect(desk.state?.leads).toEqual({ baseMs: MINUTE, leadsMs: [MINUTE, 10 * MINUTE] });
    const judged = desk.state?.judge.leads.map(({ series }) => series.map(([name]) => name).sort());
    expect(judged).toEqual([['web'], ['a', 'b', 'web']]);
  });

  test('a lead window beyond the end of the forecast ends there', () => {
    const desk = deskOf();
    run(desk, [0, 100], () => 100, [{ ...WEB, leadMs: 999 * MINUTE }]);
    expect(desk.state?.leads.leadsMs).toEqual([MINUTE, 16 * MINUTE]);
    expect(desk.state?.judge.leads.every(({ series }) => series.length === 1)).toBe(true);
  });

  test('a load that stays unknown is no label', () => {
    const desk = deskOf({ read: () => Number.NaN });
    run(desk, [0, 300], () => 140);
    expect(desk.verdict()).toMatchObject({ verdict: 'Inconclusive', reason: 'NoLabels', labels: 0 });
  });

  test('one that fails to answer goes back, however good its answers are', () => {
    const desk = deskOf();
    run(desk, [0, 300], (minute) => (minute % 3 === 0 ? undefined : 100));
    expect(desk.verdict()).toMatchObject({ verdict: 'Rollback', reason: 'CanaryFails' });
  });

  test('failures of both speak against neither', () => {
    const desk = deskOf();
    for (let minute = 0; minute < 300; minute++)
      desk.note({ ...WEB, baseline: undefined, candidate: undefined });
    run(desk, [300, 330], () => 100);
    expect(desk.verdict()?.verdict).toBe('Inconclusive');
  });
});
