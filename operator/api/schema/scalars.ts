/**
 * The scalar types that our kinds are built from, each with the limits that keep the API server's cost estimate of
 * the CEL rules finite.
 */
import { z } from 'zod';
import { DURATION_MAX_LENGTH, DURATION_PATTERN, parseDurationMs } from '../../duration.ts';
import { isQuantity, parseQuantityMilli, QUANTITY_MAX_LENGTH, QUANTITY_PATTERN } from '../../quantity.ts';
import { withRules } from './rules.ts';

export const MAX_INT32 = 2_147_483_647;

/** Nine quadrillion: the largest round quantity whose thousandths still fit into int64. */
const QUANTITY_LIMIT = '9P';

export function int32(min: number, max: number = MAX_INT32): z.ZodInt {
  return z.int().min(min).max(max);
}

export function text(maxLength: number): z.ZodString {
  return z.string().min(1).max(maxLength);
}

/** A name that becomes one segment of a URL path; what HPA refuses in the same places. */
export function pathSegment(maxLength: number): z.ZodString {
  return withRules(text(maxLength).regex(/^[^/%\p{Cc}]+$/u), {
    cel: "self != '.' && self != '..'",
    message: "must not be '.' or '..' and must not contain '/' or '%'",
    holds: (value) => value !== '.' && value !== '..',
  });
}

/** A name of letters, digits and dashes, as a container has. */
export function dnsLabel(): z.ZodString {
  return z
    .string()
    .max(63)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
}

/** `apps/v1`: an API version with its group. */
export function groupVersion(): z.ZodString {
  return text(317).regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, {
    error: 'must be an API group and version, such as apps/v1',
  });
}

const QUANTITY = z
  .union([z.string().regex(new RegExp(QUANTITY_PATTERN)).max(QUANTITY_MAX_LENGTH), z.int()], {
    error: 'must be a quantity such as 250m, 1.5 or 2Gi (write a fraction in quotes)',
  })
  .meta({ 'x-kubernetes-int-or-string': true });

/** A Kubernetes quantity above zero: a string, or a whole number without quotes as HPA manifests often have it. */
export const positiveQuantity = withRules(QUANTITY, {
  cel: `quantity(string(self)).compareTo(quantity('0')) > 0 && quantity(string(self)).compareTo(quantity('${QUANTITY_LIMIT}')) <= 0`,
  message: `must be a quantity greater than 0 and at most ${QUANTITY_LIMIT}`,
  holds: (value) => inRange(value, 1),
});

/** A Kubernetes quantity, zero or more. */
export const nonNegativeQuantity = withRules(QUANTITY, {
  cel: `quantity(string(self)).compareTo(quantity('0')) >= 0 && quantity(string(self)).compareTo(quantity('${QUANTITY_LIMIT}')) <= 0`,
  message: `must be a quantity of at least 0 and at most ${QUANTITY_LIMIT}`,
  holds: (value) => inRange(value, 0),
});

function inRange(value: string | number, min: number): boolean {
  if (!isQuantity(value)) return false;
  const milli = parseQuantityMilli(value);
  return milli >= min && milli <= parseQuantityMilli(QUANTITY_LIMIT);
}

/** A duration of Go's form between two others. */
export function duration(min: string, max: string): z.ZodString {
  const form = z.string().max(DURATION_MAX_LENGTH).regex(new RegExp(DURATION_PATTERN));
  return withRules(form, {
    cel: `duration(self) >= duration('${min}') && duration(self) <= duration('${max}')`,
    message: `must be a duration between ${min} and ${max}`,
    holds: (value) => {
      const ms = parseDurationMs(value);
      return ms >= parseDurationMs(min) && ms <= parseDurationMs(max);
    },
  });
}
