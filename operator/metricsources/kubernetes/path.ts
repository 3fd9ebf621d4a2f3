/** Paths of the metrics APIs, as HPA's clients build them. */
import type { LabelSelector } from '../../api/predictivescaler/metrics.ts';
import { formatSelector } from '../../labels.ts';
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

/** A label selector as text; '' selects all. */
export function selectorText(selector: LabelSelector | undefined): string {
  try {
    return formatSelector(selector ?? {});
  } catch (cause) {
    throw new ReadError('BadQuery', 'the selector has an unknown operator', cause);
  }
}
