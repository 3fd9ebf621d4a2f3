/** Alerts and dashboard speak only of metrics and labels that the operator has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { createMetrics } from '../../operator/observability/metrics.ts';

const config = join(import.meta.dirname, '..', '..', 'config');

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
}
interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

const rules = load(readFileSync(join(config, 'alerts/foresail.rules.yaml'), 'utf8')) as Rules;
const dashboard = JSON.parse(readFileSync(join(config, 'dashboards/foresail.json'), 'utf8')) as Dashboard;

const sources: readonly (readonly [string, readonly string[]])[] = [
  ['the alerts', rules.groups.flatMap((group) => group.rules.map(({ expr }) => expr))],
  ['the dashboard', dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))],
];

const METRIC = /\b(?:foresail|process|nodejs)_\w+/g;
/** Labels that Prometheus adds, and those of its own functions. */
const ADDED = ['instance', 'pod', 'job', 'le'];

test.each(sources)('%s', async (_, expressions) => {
  const known = new Map(
    (await createMetrics().registry.getMetricsAsJSON()).map(({ name, type }) => [name, type]),
  );
  expect(expressions.length).toBeGreaterThan(5);
  for (const metric of expressions.join('\n').match(METRIC) ?? []) {
    const base = metric.replace(/_(bucket|count|sum)$/, '');
    // A counter's name ends with _total in the text as well as here; a histogram has its three suffixes.
    const found =
      known.get(metric) ?? (known.get(base)?.toString() === 'histogram' ? 'histogram' : undefined);
    expect([metric, found]).toEqual([metric, expect.anything()]);
  }
});

test.each(sources)('labels of %s', (_, expressions) => {
  const source = ['metrics', 'rollout-metrics', 'runtime-metrics']
    .map((file) => readFileSync(join(config, '..', 'operator/observability', `${file}.ts`), 'utf8'))
    .join('\n');
  const labels = expressions
    .flatMap((expr) => [
      ...[...expr.matchAll(/\b(?:by|on|ignoring) \(([^)]*)\)/g)].flatMap(([, list = '']) =>
        list.split(/,\s*/),
      ),
      ...[...expr.matchAll(/[{,]\s*(\w+)(?==|!=)/g)].map(([, label = '']) => label),
    ])
    .filter((label) => label !== '' && !ADDED.includes(label));
  for (const label of new Set(labels)) expect([label, source.includes(`'${label}'`)]).toEqual([label, true]);
});

test('every panel has a number of its own', () => {
  const ids = dashboard.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});
