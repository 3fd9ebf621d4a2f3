/**
 * Specs for property tests: every field, mostly valid, with the edges of each limit and now and then one step
 * beyond. Whether a spec is valid is for the judges to say; the property is that they agree.
 */
import * as fc from 'fast-check';
import { duration, int, mostly, object, optional } from './arbitraries.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/);
const quantity = mostly<string | number>(
  fc.oneof(
    fc.integer({ min: 1, max: 2000 }),
    fc
      .tuple(fc.integer({ min: 1, max: 999 }), fc.constantFrom('', 'm', 'k', 'Mi', 'Gi', 'e2', '.5'))
      .map((p) => p.join('')),
  ),
  fc.constantFrom<string | number>(
    0,
    '0',
    '0.0',
    -1,
    '-1m',
    '1n',
    '9P',
    '9.1P',
    '0.0000000001',
    '1E',
    '+5',
    '.5',
    '5.',
  ),
);
const metricIdentifier = object({
  name: mostly(fc.oneof(name, fc.constant('datadogmetric@ns:a')), fc.constantFrom('..', 'a/b', 'a%2f')),
  selector: optional(
    object({
      matchLabels: optional(fc.dictionary(name, name, { maxKeys: 2 })),
      matchExpressions: optional(
        fc.array(
          fc.oneof(
            object({
              key: name,
              operator: fc.constantFrom('In', 'NotIn'),
              values: fc.array(name, { minLength: 1, maxLength: 3 }),
            }),
            object({ key: name, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
          ),
          { maxLength: 2 },
        ),
      ),
    }),
  ),
});

const utilization = object({ type: fc.constant('Utilization'), averageUtilization: int(1, 200) });
const averageValue = object({ type: fc.constant('AverageValue'), averageValue: quantity });
const value = object({ type: fc.constant('Value'), value: quantity });
const resource = { name: fc.constantFrom('cpu', 'memory'), target: fc.oneof(utilization, averageValue) };
const total = fc.oneof(value, averageValue);

type Member = [type: string, member: string, source: fc.Arbitrary<unknown>];
const HPA_MEMBERS: Member[] = [
  ['Resource', 'resource', object(resource)],
  ['ContainerResource', 'containerResource', object({ ...resource, container: name })],
  ['Pods', 'pods', object({ metric: metricIdentifier, target: averageValue })],
  [
    'Object',
    'object',
    object({
      describedObject: object({ apiVersion: fc.constant('v1'), kind: fc.constant('Service'), name }),
      metric: metricIdentifier,
      target: total,
    }),
  ],
  ['External', 'external', object({ metric: metricIdentifier, target: total })],
];
const PROMETHEUS: Member = [
  'Prometheus',
  'prometheus',
  object({ serverRef: object({ name }), query: fc.constantFrom('up', 'sum(x)'), target: total }),
];

function metrics(members: Member[], capacity: fc.Arbitrary<unknown>) {
  const one = fc.oneof(
    ...members.map(([type, member, source]) =>
      object({ type: fc.constant(type), [member]: source, capacity }),
    ),
  );
  return fc.array(one, { maxLength: 4 });
}

const policy = object({
  type: fc.constantFrom('Pods', 'Percent'),
  value: int(1, 300),
  periodSeconds: int(1, 1800, 1801),
});
const rules = object({
  stabilizationWindowSeconds: optional(int(0, 3600, 3601)),
  selectPolicy: optional(fc.constantFrom('Max', 'Min', 'Disabled')),
  policies: optional(
    mostly(fc.array(policy, { minLength: 1, maxLength: 3 }), fc.constant<Record<string, unknown>[]>([])),
  ),
  tolerance: optional(
    mostly<string | number>(fc.constantFrom<string | number>('0.1', '50m', 0, 1), fc.constant('-0.1')),
  ),
});
const behavior = object({ scaleUp: optional(rules), scaleDown: optional(rules) });

const target = object({
  apiVersion: mostly(
    fc.constant('apps/v1'),
    fc.constantFrom<string | undefined>('v1', undefined, '/v1', 'apps'),
  ),
  kind: mostly(fc.constantFrom('Deployment', 'StatefulSet'), fc.constant('PredictiveScaler')),
  name,
});

const minReplicas = optional(int(1, 10));
const maxReplicas = int(10, 50, 2 ** 31 - 1, 2 ** 31, 5);

/** The fields that autoscaling/v2 knows. */
export const hpaSpec = object({
  scaleTargetRef: target,
  minReplicas,
  maxReplicas,
  metrics: optional(metrics(HPA_MEMBERS, fc.constant(undefined))),
  behavior: optional(behavior),
});

const schedule = object({
  name,
  schedule: fc.constantFrom('0 8 * * 5', '*/15 9-17 * * MON-FRI', '0 0 1,15 JAN *', '5 4 * * 0'),
  duration: duration(['4h', '30m', '744h', '1m'], ['59s', '745h', '0s']),
  timeZone: optional(
    mostly(fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York'), fc.constant('Mars/Olympus')),
  ),
  minReplicas: optional(int(10, 12)),
  maxReplicas: optional(int(10, 14)),
});

/** Every field of a PredictiveScaler's spec. */
export const predictiveScalerSpec = object({
  scaleTargetRef: target,
  minReplicas,
  maxReplicas: mostly(int(15, 50, 2 ** 31 - 1), maxReplicas),
  mode: optional(fc.constantFrom('Recommend', 'Reactive', 'Shadow', 'Active', 'Auto')),
  objective: optional(fc.constantFrom('Availability', 'Efficiency')),
  paused: optional(fc.boolean()),
  metrics: optional(metrics([...HPA_MEMBERS, PROMETHEUS], optional(fc.constantFrom('5Ti', '100k')))),
  behavior: optional(behavior),
  forecast: optional(
    object({
      model: optional(object({ name })),
      coverage: optional(
        mostly(fc.constantFrom('0.99', '0.51', '0.5001', '0.9999'), fc.constantFrom('0.5', '1.0')),
      ),
      leadTime: optional(duration(['90s', '1s', '1h', '1.5m'], ['999ms', '61m'])),
      step: optional(duration(['1m', '10s'], ['9s'])),
      history: optional(duration(['336h', '1h', '2160h'], ['2161h'])),
    }),
  ),
  schedules: optional(fc.array(schedule, { maxLength: 3 })),
  fallback: optional(
    object({ replicas: int(10, 12), after: optional(duration(['10m', '1m', '24h'], ['25h', '59s'])) }),
  ),
});
