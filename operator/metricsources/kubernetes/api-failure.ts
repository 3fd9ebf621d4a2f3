/**
 * Why a metrics API of the cluster gave no number. The text that a server sends with an error is not repeated: it
 * comes from an adapter that anybody may have written.
 */
import { isForesailError } from '../../errors.ts';
import type { UnknownReason } from '../../observation.ts';
import { ReadError } from '../read-error.ts';

const byCode: Readonly<Record<string, readonly [reason: UnknownReason, sentence: string]>> = {
  KUBE_UNAUTHORIZED: ['Unauthorized', 'does not accept the operator’s credentials'],
  KUBE_FORBIDDEN: ['Unauthorized', 'does not let the operator read this metric: a role is missing'],
  KUBE_NOT_FOUND: ['NoData', 'has no such metric, or is not installed'],
  KUBE_TOO_MANY_REQUESTS: ['Overloaded', 'takes no more requests at the moment'],
  KUBE_UNAVAILABLE: ['Unreachable', 'is not available: the API service behind it does not answer'],
  KUBE_UNREACHABLE: ['Unreachable', 'cannot be reached'],
  KUBE_INTERNAL: ['Unreachable', 'failed'],
  KUBE_TIMEOUT: ['Timeout', 'did not answer in time'],
  KUBE_TOO_LARGE: ['TooLarge', 'sent more than is read'],
  KUBE_BAD_ANSWER: ['BadAnswer', 'sent something that is not an answer'],
  KUBE_BAD_REQUEST: ['BadQuery', 'refused the request as invalid'],
  KUBE_INVALID: ['BadQuery', 'refused the request as invalid'],
  KUBE_UNKNOWN_KIND: [
    'BadQuery',
    'was not asked: the described object is of a kind that the cluster does not serve',
  ],
};

/** `api` is the API's group, e.g. `custom.metrics.k8s.io`. */
export function apiFailure(error: unknown, api: string): ReadError {
  if (error instanceof ReadError) return error;
  const known = isForesailError(error) ? byCode[error.code] : undefined;
  const [reason, sentence] = known ?? (['Unreachable', 'could not be asked'] as const);
  return new ReadError(reason, `${api} ${sentence}`, error);
}
