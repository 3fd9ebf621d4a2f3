/**
 * One rule, two judges. A cross-field rule is written once, as CEL for the API server and as a predicate for the
 * operator, which re-validates what it reads: an object may be older than the rule, or have been stored while the
 * CRD was another one. The property tests on a real server hold the two to the same answer.
 */
import type { z } from 'zod';
import { isForesailError } from '../../errors.ts';

export interface Rule<T> {
  /** CEL over `self`. */
  readonly cel: string;
  /** Names the field and what it must be; shown by `kubectl apply` as it stands. */
  readonly message: string;
  /** The same rule in TypeScript. */
  readonly holds: (value: T) => boolean;
  /** Where an issue is reported, below the object that carries the rule. */
  readonly path?: readonly string[];
}

/** What the generator reads back from a schema's metadata. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly reason?: 'FieldValueRequired' | 'FieldValueForbidden';
  readonly fieldPath?: string;
}

/** Adds the rules to a schema. Metadata that the schema already carries is kept. */
export function withRules<S extends z.ZodType>(schema: S, ...rules: readonly Rule<z.output<S>>[]): S {
  const checked = schema.superRefine((value, context) => {
    for (const rule of rules) {
      if (!holds(rule, value)) {
        context.addIssue({ code: 'custom', message: rule.message, path: [...(rule.path ?? [])] });
      }
    }
  });
  const meta = schema.meta() ?? {};
  const before = (meta['x-kubernetes-validations'] ?? []) as readonly CelRule[];
  return checked.meta({ ...meta, 'x-kubernetes-validations': [...before, ...rules.map(toCelRule)] });
}

/** A value that cannot be judged, such as a text that is no quantity, breaks the rule, as it does in CEL. */
function holds<T>(rule: Rule<T>, value: T): boolean {
  try {
    return rule.holds(value);
  } catch (error) {
    if (isForesailError(error)) return false;
    throw error;
  }
}

function toCelRule(rule: ChangeRule): CelRule {
  return {
    rule: rule.cel,
    message: rule.message,
    ...(rule.path === undefined ? {} : { fieldPath: rule.path.map((key) => `.${key}`).join('') }),
  };
}

/** A rule about a change, which only the API server can judge: `cel` speaks of `oldSelf` too. */
export type ChangeRule = Pick<Rule<unknown>, 'cel' | 'message' | 'path'>;

export function withChangeRules<S extends z.ZodType>(schema: S, ...rules: readonly ChangeRule[]): S {
  const meta = schema.meta() ?? {};
  const before = (meta['x-kubernetes-validations'] ?? []) as readonly CelRule[];
  return schema.meta({ ...meta, 'x-kubernetes-validations': [...before, ...rules.map(toCelRule)] });
}
