import { expect, test } from '@jest/globals';
import { createMetrics } from './metrics.ts';

const web = { namespace: 'shop', name: 'web' };

test('a value that is not known has no series, and loses the one it had', async () => {
  const metrics = createMetrics();
  metrics.scaler({ ...web, currentReplicas: 3, desired: { reactive: 4, forecast: 6, final: 6 } });
  expect(await metrics.registry.metrics()).toContain(
    'foresail_scaler_desired_replicas{namespace="shop",name="web",source="forecast"} 6',
  );
  metrics.scaler({ ...web, currentReplicas: 3, desired: { reactive: 4, final: 4 } });
  expect(await metrics.registry.metrics()).not.toContain('source="forecast"');
});

test('a deleted object leaves no series behind', async () => {
  const metrics = createMetrics();
  metrics.scaler({
    ...web,
    currentReplicas: 3,
    desired: { reactive: 4, forecast: 6, final: 6 },
    forecastLoad: { median: 10, upper: 20 },
    coverage: { asked: 0.99, realised: 0.98 },
    leadTimeSeconds: { p50: 4, p90: 9 },
    metricAgeSeconds: 12,
  });
  metrics.forgetScaler('shop', 'web');
  expect(await metrics.registry.metrics()).not.toContain('name="web"');
});

test('the id of a decision is an exemplar and no label', async () => {
  const metrics = createMetrics();
  metrics.decision('Active', 'Forecast', 0.002, 'd-123');
  const text = await metrics.registry.metrics();
  expect(text).toMatch(
    /foresail_decision_duration_seconds_bucket\{le="0.0025"\} 1 # \{decision_id="d-123"\} 0.002/,
  );
  expect(text).toContain('foresail_decisions_total{mode="Active",bound_by="Forecast"} 1');
});

test('outcomes of writes are there at zero before the first write', async () => {
  expect(await createMetrics().registry.metrics()).toContain(
    'foresail_scale_writes_total{outcome="failed"} 0',
  );
});

test('drift is 0 or 1 by sign once it is judged, and has no series before', async () => {
  const metrics = createMetrics();
  const sample = { ...web, currentReplicas: 3, desired: { final: 4 } };
  metrics.scaler(sample);
  expect(await metrics.registry.metrics()).not.toContain('foresail_forecast_drift{');
  metrics.scaler({ ...sample, driftSigns: ['Psi'] });
  const text = await metrics.registry.metrics();
  expect(text).toContain('foresail_forecast_drift{namespace="shop",name="web",sign="Psi"} 1');
  expect(text).toContain('foresail_forecast_drift{namespace="shop",name="web",sign="Adwin"} 0');
  metrics.forgetScaler(web.namespace, web.name);
  expect(await metrics.registry.metrics()).not.toContain('foresail_forecast_drift{');
});

test('a replay is told side by side once there was one', async () => {
  const metrics = createMetrics();
  const sample = { ...web, currentReplicas: 3, desired: { final: 4 } };
  metrics.scaler(sample);
  expect(await metrics.registry.metrics()).not.toContain('foresail_scaler_forecast_proven{');
  const replay = {
    proven: true,
    shortMinutes: { foresail: 10, hpa: 90 },
    replicaHours: { foresail: 110, hpa: 100 },
  };
  metrics.scaler({ ...sample, replay });
  const text = await metrics.registry.metrics();
  expect(text).toContain('foresail_scaler_forecast_proven{namespace="shop",name="web"} 1');
  expect(text).toContain('foresail_scaler_replay_short_minutes{namespace="shop",name="web",policy="hpa"} 90');
  metrics.forgetScaler(web.namespace, web.name);
  expect(await metrics.registry.metrics()).not.toContain('foresail_scaler_replay_short_minutes{');
});
