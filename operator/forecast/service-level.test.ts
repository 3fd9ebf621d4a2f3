import { describe, expect, test } from '@jest/globals';
import { ReplayedTarget } from './replayed-target.ts';
import { PLAN_LEVELS, ServiceLevel } from './service-level.ts';
import type { ServiceTerms } from './service-terms.ts';
import { seeded } from './testing/series.ts';

const STEP_MS = 60_000;
const TERMS: ServiceTerms = {
  objective: 'Efficiency',
  capacity: 10,
  reactiveTarget: 10,
  readySteps: 3,
  holdSteps: 5,
};

/** Load 100 ± 30, evenly spread: the quantiles are known and the past says nothing. */
const upper = (level: number) => 70 + 60 * level;

const at = (load: (level: number) => number) =>
  PLAN_LEVELS.map((level) => ({ near: load(level), ready: load(level) }));

/** Goes through `days` of minutes; the share of the last half that a target at the chosen level had been short. */
function live(
  terms: ServiceTerms,
  coverage: number,
  days: number,
  load: (random: () => number) => number = (random) => upper(random()),
) {
  const random = seeded(7);
  const service = new ServiceLevel({ coverage, stepMs: STEP_MS });
  for (let step = 0; step < days * 1440; step++) service.observe(load(random), terms, at(upper));
  return service;
}

/** NaN where no level of the forecast is planned for. */
function levelOf(service: ServiceLevel, objective: ServiceTerms['objective']): number {
  const plan = service.plan(objective);
  return plan.kind === 'Level' ? plan.level : Number.NaN;
}

describe('the level that is planned for', () => {
  test('is the asked coverage while nothing is known', () => {
    const service = new ServiceLevel({ coverage: 0.99, stepMs: STEP_MS });
    expect(levelOf(service, 'Efficiency')).toBe(0.99);
  });

  test.each([0.9, 0.95, 0.99])('serves %s of the time, on load that it has not seen', (coverage) => {
    const level = levelOf(live(TERMS, coverage, 8), 'Efficiency');
    const target = new ReplayedTarget(0);
    const random = seeded(99);
    let short = 0;
    const steps = 4 * 1440;
    for (let i = 0; i < steps; i++) {
      target.observe(upper(random()), TERMS, { near: upper(level), ready: upper(level) }, 1);
      short += target.short;
    }
    expect(short / steps).toBeLessThanOrEqual(1.25 * (1 - coverage));
  });

  test('is no higher than it takes', () => {
    const levels = [0.9, 0.95, 0.99, 0.999].map((coverage) =>
      levelOf(live(TERMS, coverage, 6), 'Efficiency'),
    );
    expect(levels).toEqual([...levels].sort((a, b) => a - b));
    expect(levels[0]).toBeLessThan(0.9);
  });

  test('is lower where forecasts are too high', () => {
    const honest = levelOf(live(TERMS, 0.95, 4), 'Efficiency');
    const high = levelOf(
      live(TERMS, 0.95, 4, (random) => 0.9 * upper(random())),
      'Efficiency',
    );
    expect(high).toBeLessThan(honest);
  });

  test('is low where the reactive rule alone is enough', () => {
    const headroom = { ...TERMS, objective: 'Availability', reactiveTarget: 5 } as const;
    expect(levelOf(live(headroom, 0.99, 4), 'Availability')).toBe(PLAN_LEVELS[0]);
  });

  test('asks under Availability for a fifth of the shortage of the reactive rule', () => {
    const terms = { ...TERMS, objective: 'Availability', reactiveTarget: 8 } as const;
    const service = live(terms, 0.7, 6);
    // Coverage alone asks for no more than the lowest level here.
    expect(levelOf(service, 'Availability')).toBeGreaterThan(PLAN_LEVELS[0]);
  });

  test('does not pay any price under Availability', () => {
    // One minute in a thousand is three times as high, and nothing foretells it.
    const spiky = (random: () => number) => (random() < 0.001 ? 285 : 95);
    const service = new ServiceLevel({ coverage: 0.9999, stepMs: STEP_MS });
    const random = seeded(3);
    const peaks = at((level) => (level > 0.99 ? 285 : 95));
    for (let step = 0; step < 8 * 1440; step++) service.observe(spiky(random), TERMS, peaks);
    expect(levelOf(service, 'Efficiency')).toBeGreaterThan(0.99);
    expect(levelOf(service, 'Availability')).toBeLessThanOrEqual(0.99);
  });
});

describe('a fixed headroom', () => {
  /** Rises by a half at times that nothing tells, slowly enough for a headroom. */
  function jumpy(quantile: (level: number, load: number) => number): ServiceLevel {
    const service = new ServiceLevel({ coverage: 0.99, stepMs: STEP_MS });
    const random = seeded(11);
    let load = 100;
    for (let step = 0; step < 4 * 1440; step++) {
      if (random() < 0.01) load = load > 100 ? 100 : 150;
      service.observe(
        load,
        TERMS,
        at((level) => quantile(level, load)),
      );
    }
    return service;
  }

  test('is taken where every level of the forecast is dearer', () => {
    const dear = jumpy((level, load) => (level > 0.8 ? 4 * load : load));
    expect(dear.plan('Efficiency').kind).toBe('Headroom');
    expect(dear.plan('Availability').kind).toBe('Level');
  });

  test('is not taken where a level does as well', () => {
    const fair = jumpy((level) => (level > 0.8 ? 150 : 100));
    expect(fair.plan('Efficiency')).toMatchObject({ kind: 'Level' });
  });
});

describe('its memory', () => {
  test('survives as JSON', () => {
    const service = live(TERMS, 0.95, 3);
    const state = JSON.parse(JSON.stringify(service.toState()));
    const again = ServiceLevel.fromState(state, { coverage: 0.95, stepMs: STEP_MS });
    expect(levelOf(again, 'Efficiency')).toBeCloseTo(levelOf(service, 'Efficiency'), 3);
    expect(JSON.stringify(state).length).toBeLessThan(1500);
  });

  test('of another grid is not taken', () => {
    const service = ServiceLevel.fromState(
      { steps: 9999, targets: [{ short: 1, replicas: 1 }] },
      { coverage: 0.95, stepMs: STEP_MS },
    );
    expect(levelOf(service, 'Efficiency')).toBe(0.95);
  });
});
