/** Paths of the metrics APIs, as HPA's clients build them. */
import type { LabelSelector } from '../../api/predictivescaler/metrics.ts';
import { ReadError } from '../read-error.ts';

/** One segment. Names that would change the path are refused, as client-go does. */
export function segment(name: string, what: string): string {
  if (name === '' || name === '.' || name === '..' || /[/%]/.test(name))
    throw new ReadError('BadQuery', `${what} is not a name that can stand in a path`);
  return encodeURIComponent(name);
}

/** Empty parameters are left out. */
export function withQuery(path: string, params: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== '')).toString();
  return query === '' ? path : `${path}?${query}`;
}

const operators: Readonly<Record<string, (key: string, values: string) => string>> = {
  In: (key, values) => `${key} in (${values})`,
  NotIn: (key, values) => `${key} notin (${values})`,
  Exists: (key) => key,
  DoesNotExist: (key) => `!${key}`,
};

/** A label selector as text: requirements by key, values sorted; '' selects all. */
export function selectorText(selector: LabelSelector | undefined): string {
  const requirements = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => ({
    key,
    text: `${key}=${value}`,
  }));
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    const render = Object.hasOwn(operators, operator) ? operators[operator] : undefined;
    if (render === undefined) throw new ReadError('BadQuery', 'the selector has an unknown operator');
    requirements.push({ key, text: render(key, [...values].sort().join(',')) });
  }
  return requirements
    .sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map(({ text }) => text)
    .join(',');
}
