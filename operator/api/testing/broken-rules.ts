/** What breaks a rule of PredictiveScaler: across fields, or one that only that field has. */
import { FULL_SPEC, scaler } from './full-object.ts';
import { withValue } from './paths.ts';
import type { BadInput } from './subject.ts';

export function brokenRules(): BadInput[] {
  const change = (name: string, field: string, ...changes: [path: string, value: unknown][]): BadInput => ({
    name,
    field,
    object: changes.reduce((object, [path, value]) => withValue(object, path, value), scaler(FULL_SPEC)),
  });
  const firstMetric = (name: string, field: string, metric: unknown) =>
    change(name, `spec.metrics[0].${field}`, ['spec.metrics', [metric]]);
  const cpu = { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } };
  const rps = { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: 10 } };
  const members = {
    Resource: { resource: cpu },
    ContainerResource: { containerResource: { ...cpu, container: 'app' } },
    Pods: { pods: rps },
    Object: { object: { ...rps, describedObject: { kind: 'Service', name: 'a' } } },
    External: { external: rps },
    Prometheus: { prometheus: { serverRef: { name: 'default' }, query: 'x', target: rps.target } },
  };
  const first = (member: object) => Object.keys(member)[0] ?? '';
  const types = Object.entries(members);

  return [
    change('min above max', 'spec.minReplicas', ['spec.minReplicas', 41]),
    change('fallback above max', 'spec.fallback.replicas', ['spec.fallback.replicas', 41]),
    change('fallback below min', 'spec.fallback.replicas', ['spec.fallback.replicas', 1]),
    change('minReplicas of a schedule above max', 'spec.schedules', ['spec.schedules[0].minReplicas', 41]),
    change('minReplicas of a schedule below min', 'spec.schedules', ['spec.schedules[0].minReplicas', 1]),
    change('maxReplicas of a schedule above max', 'spec.schedules', ['spec.schedules[1].maxReplicas', 41]),
    change('maxReplicas of a schedule below min', 'spec.schedules', ['spec.schedules[1].maxReplicas', 1]),
    change('a schedule with min above max', 'spec.schedules[1].minReplicas', [
      'spec.schedules[1].minReplicas',
      6,
    ]),
    ...['.', '..', '../../apis/apps', 'a%2Fb', '/'].flatMap((segment) =>
      [
        'scaleTargetRef.kind',
        'scaleTargetRef.name',
        'metrics[4].pods.metric.name',
        'metrics[5].object.metric.name',
        'metrics[5].object.describedObject.kind',
        'metrics[5].object.describedObject.name',
        'metrics[7].external.metric.name',
      ].map((path) => change(`${segment} as ${path}`, `spec.${path}`, [`spec.${path}`, segment])),
    ),
    ...['v1', 'apps', 'apps/', '/v1', 'apps/v1/deployments', 'apps/../v1'].map((version) =>
      change(`apiVersion ${version}`, 'spec.scaleTargetRef.apiVersion', [
        'spec.scaleTargetRef.apiVersion',
        version,
      ]),
    ),
    change('a schedule without bounds', 'spec.schedules[0]', ['spec.schedules[0].minReplicas', undefined]),
    change('two schedules of one name', 'spec.schedules[1]', ['spec.schedules[1].name', 'sale']),
    change('an unknown time zone', 'spec.schedules[0].timeZone', [
      'spec.schedules[0].timeZone',
      'Mars/Olympus',
    ]),
    change('the local time zone', 'spec.schedules[0].timeZone', ['spec.schedules[0].timeZone', 'Local']),
    ...[
      '@daily',
      '0 8 * *',
      '0 0 8 * * 5',
      '60 8 * * 5',
      '0 24 * * 5',
      '0 8 0 * 5',
      '0 8 * 13 5',
      '0 8 * * 8',
    ].map((cron) =>
      change(`cron ${cron}`, 'spec.schedules[0].schedule', ['spec.schedules[0].schedule', cron]),
    ),
    ...['0.5', '0.4999', '1.0', '1', '0.99999', '.99', '99', '-0.9', '0.9e0', '99%'].map((coverage) =>
      change(`coverage ${coverage}`, 'spec.forecast.coverage', ['spec.forecast.coverage', coverage]),
    ),
    ...['PredictiveScaler', 'TrainingJob', 'HorizontalPodAutoscaler', 'ScaledObject', 'ScaledJob'].map(
      (kind) =>
        change(`a target of kind ${kind}`, 'spec.scaleTargetRef.kind', ['spec.scaleTargetRef.kind', kind]),
    ),
    ...types.map(([type, member]) => firstMetric(`${type} without its member`, first(member), { type })),
    ...types.flatMap(([type, member]) =>
      types
        .filter(([other]) => other !== type)
        .map(([other, extra]) =>
          firstMetric(`${type} with the member of ${other}`, first(extra), { type, ...member, ...extra }),
        ),
    ),
    ...types.flatMap(([type, member]) => {
      const name = first(member);
      const source = Object.values(member)[0] as { target: object };
      const withTarget = (target: object) => ({ type, [name]: { ...source, target } });
      const utilizationAllowed = type === 'Resource' || type === 'ContainerResource';
      const valueAllowed = !utilizationAllowed && type !== 'Pods';
      return [
        firstMetric(
          `${type}: AverageValue without averageValue`,
          `${name}.target.averageValue`,
          withTarget({ type: 'AverageValue' }),
        ),
        ...(utilizationAllowed
          ? [
              firstMetric(
                `${type}: Utilization without averageUtilization`,
                `${name}.target.averageUtilization`,
                withTarget({ type: 'Utilization' }),
              ),
              firstMetric(
                `${type}: both members`,
                `${name}.target.averageValue`,
                withTarget({ type: 'Utilization', averageUtilization: 5, averageValue: 5 }),
              ),
              firstMetric(
                `${type}: the other member`,
                `${name}.target.averageUtilization`,
                withTarget({ type: 'AverageValue', averageUtilization: 5 }),
              ),
            ]
          : [
              firstMetric(
                `${type}: Utilization`,
                `${name}.target.type`,
                withTarget({ type: 'Utilization', averageValue: 5 }),
              ),
            ]),
        ...(valueAllowed
          ? [
              firstMetric(
                `${type}: Value without value`,
                `${name}.target.value`,
                withTarget({ type: 'Value' }),
              ),
              firstMetric(
                `${type}: both members`,
                `${name}.target.averageValue`,
                withTarget({ type: 'Value', value: 5, averageValue: 5 }),
              ),
              firstMetric(
                `${type}: the other member`,
                `${name}.target.value`,
                withTarget({ type: 'AverageValue', value: 5 }),
              ),
            ]
          : [
              firstMetric(
                `${type}: Value`,
                `${name}.target.type`,
                withTarget({ type: 'Value', averageValue: 5 }),
              ),
            ]),
        firstMetric(`${type}: capacity below the target`, 'capacity', {
          ...withTarget({ type: 'AverageValue', averageValue: '100m' }),
          capacity: '99m',
        }),
      ];
    }),
    ...['metrics[4].pods', 'metrics[5].object', 'metrics[7].external'].flatMap((source) => {
      const path = `spec.${source}.metric.selector.matchExpressions[0]`;
      return [
        change(`In without values in ${source}`, `${path}.values`, [`${path}.values`, undefined]),
        change(`Exists with values in ${source}`, `${path}.values`, [`${path}.operator`, 'Exists']),
      ];
    }),
  ];
}
