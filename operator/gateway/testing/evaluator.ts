/**
 * What an HTTPRoute says should happen to a request, by the text of the Gateway API (backendRefs, weight, RequestMirror).
 * A stand-in for a gateway, which these tests do not have: it shows what was written, not what a data plane makes of it.
 */
import type { BackendRef, RouteRule } from '../http-route.ts';

export interface Fate {
  /** Name of the Service that answers, or the status of the error. */
  readonly answer: string | 500 | 503;
  /** Names of the Services that get a copy. */
  readonly copies: readonly string[];
}

export function fateOf(
  { backendRefs = [], filters = [] }: RouteRule,
  services: ReadonlyMap<string, 'ready' | 'unready'>,
  random: () => number,
): Fate {
  const copies = filters.flatMap(({ requestMirror }) => {
    if (requestMirror === undefined || 100 * random() >= (requestMirror.percent ?? 100)) return [];
    const { name } = requestMirror.backendRef;
    return services.get(name) === 'ready' ? [name] : [];
  });
  return { answer: answerOf(pick(backendRefs, random()), services), copies };
}

function answerOf(
  ref: BackendRef | undefined,
  services: ReadonlyMap<string, 'ready' | 'unready'>,
): Fate['answer'] {
  const state = ref === undefined ? undefined : services.get(ref.name);
  // An invalid backend is an internal error; one without endpoints is unavailable.
  if (ref === undefined || state === undefined) return 500;
  return state === 'ready' ? ref.name : 503;
}

function pick(refs: readonly BackendRef[], at: number): BackendRef | undefined {
  let left = at * refs.reduce((sum, { weight = 1 }) => sum + weight, 0);
  return refs.find(({ weight = 1 }) => {
    left -= weight;
    return left < 0;
  });
}
