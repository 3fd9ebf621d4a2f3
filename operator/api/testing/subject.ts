/** A kind under test: its definition, how we read it, and objects of it on and beyond the edge of every rule. */
import { openApiSchema } from '../generate/crd.ts';
import type { KindDefinition } from '../generate/kinds.ts';
import type { StructuralSchema } from '../generate/structural.ts';

export interface RawObject {
  apiVersion: string;
  kind: string;
  /** No namespace: the kind is one of the whole cluster. */
  metadata: { name: string; namespace?: string };
  spec: Record<string, unknown>;
}

export interface BadInput {
  readonly name: string;
  readonly object: RawObject;
  /** Path of the field that the refusal must name. */
  readonly field: string;
}

export interface Subject {
  readonly definition: KindDefinition;
  readonly parse: (object: unknown) => { readonly spec: object; readonly status?: object | undefined };
  readonly object: (spec: Record<string, unknown>, name?: string, namespace?: string) => RawObject;
  readonly minimal: Record<string, unknown>;
  /** Together they set every field of the spec; more than one where fields exclude each other. */
  readonly full: readonly Record<string, unknown>[];
  /** Valid, and on the very edge of each rule: a `<` for a `<=` refuses one of them. */
  readonly edges: Readonly<Record<string, Record<string, unknown>>>;
  readonly brokenRules: () => BadInput[];
}

export function specSchemaOf({ definition }: Subject): StructuralSchema {
  return openApiSchema(definition).properties?.['spec'] ?? {};
}

export function hasStatus({ definition }: Subject): boolean {
  return openApiSchema(definition).properties?.['status'] !== undefined;
}
