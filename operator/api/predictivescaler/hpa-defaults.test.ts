import { describe, expect, test } from '@jest/globals';
import { MINIMAL_SPEC, scaler } from '../testing/full-object.ts';
import { applyBehaviorDefaults, applyHpaDefaults, DEFAULT_METRIC } from './hpa-defaults.ts';
import { parsePredictiveScaler } from './kind.ts';

function defaulted(spec: object) {
  return applyHpaDefaults(parsePredictiveScaler(scaler({ ...MINIMAL_SPEC, ...spec })).spec);
}

const SCALE_UP = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};
const SCALE_DOWN = {
  stabilizationWindowSeconds: 300,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
};

describe('metrics', () => {
  test.each([undefined, []])('%j become CPU at 80 %%', (metrics) => {
    expect(defaulted({ metrics }).metrics).toEqual([DEFAULT_METRIC]);
  });

  test('given ones are left alone', () => {
    const metrics = [
      { type: 'External', external: { metric: { name: 'q' }, target: { type: 'Value', value: 3 } } },
    ];
    expect(defaulted({ metrics }).metrics).toEqual(metrics);
  });
});

describe('behavior', () => {
  test('absent stays absent', () => {
    expect('behavior' in defaulted({})).toBe(false);
  });

  test.each([{}, { scaleUp: {} }, { scaleUp: {}, scaleDown: {} }])(
    '%j becomes HPA’s defaults',
    (behavior) => {
      expect(defaulted({ behavior }).behavior).toEqual({ scaleUp: SCALE_UP, scaleDown: SCALE_DOWN });
    },
  );

  test('what is given replaces the default of that field only', () => {
    const policies = [{ type: 'Pods' as const, value: 1, periodSeconds: 60 }];
    const behavior = {
      scaleUp: { tolerance: '0.2' },
      scaleDown: { selectPolicy: 'Disabled' as const, policies, stabilizationWindowSeconds: 0 },
    };
    expect(applyBehaviorDefaults(behavior)).toEqual({
      scaleUp: { ...SCALE_UP, tolerance: '0.2' },
      scaleDown: { stabilizationWindowSeconds: 0, selectPolicy: 'Disabled', policies },
    });
  });

  test('the scale-down window is the controller’s flag', () => {
    expect(applyBehaviorDefaults({}, 60).scaleDown.stabilizationWindowSeconds).toBe(60);
    expect(applyBehaviorDefaults({}, 60).scaleUp.stabilizationWindowSeconds).toBe(0);
  });
});
