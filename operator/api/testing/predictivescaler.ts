/** PredictiveScaler as the suites of all kinds want it. */
import { PREDICTIVE_SCALER_KIND } from '../generate/kinds.ts';
import { parsePredictiveScaler } from '../predictivescaler/kind.ts';
import { brokenRules } from './broken-rules.ts';
import { EDGE_SPECS, FULL_SPEC, MINIMAL_SPEC, scaler } from './full-object.ts';
import type { Subject } from './subject.ts';

export const predictiveScalerSubject: Subject = {
  definition: PREDICTIVE_SCALER_KIND,
  parse: parsePredictiveScaler,
  object: scaler,
  minimal: MINIMAL_SPEC,
  full: [FULL_SPEC],
  edges: {
    ...EDGE_SPECS,
    'empty parents': { ...MINIMAL_SPEC, forecast: {}, behavior: {}, metrics: [], schedules: [] },
    nested: { ...MINIMAL_SPEC, fallback: { replicas: 3 }, forecast: { coverage: '0.9' } },
  },
  brokenRules,
};
