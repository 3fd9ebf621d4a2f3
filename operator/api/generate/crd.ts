/** The CustomResourceDefinition of a kind, out of its schema. */
import type { KindDefinition } from './kinds.ts';
import { type StructuralSchema, toStructural } from './structural.ts';

export interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** `apiVersion`, `kind` and `metadata` are the server's own; it refuses rules of ours about them. */
export function openApiSchema({ schema }: KindDefinition): StructuralSchema {
  const whole = toStructural(schema);
  return {
    ...whole,
    properties: {
      ...whole.properties,
      apiVersion: { type: 'string', description: 'Version of the schema of this object.' },
      kind: { type: 'string', description: 'Kind of this object.' },
      metadata: { type: 'object' },
    },
    required: ['spec'],
  };
}

export function crdOf(definition: KindDefinition): CustomResourceDefinition {
  const { group, version, kind, listKind, plural, singular, shortNames, categories } = definition.names;
  const schema = openApiSchema(definition);
  const subresources = {
    ...(schema.properties?.['status'] === undefined ? {} : { status: {} }),
    ...(definition.scale === undefined ? {} : { scale: definition.scale }),
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: definition.scope ?? 'Namespaced',
      names: { kind, listKind, plural, singular, shortNames, categories },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          ...(Object.keys(subresources).length === 0 ? {} : { subresources }),
          additionalPrinterColumns: definition.columns,
          schema: { openAPIV3Schema: schema },
        },
      ],
    },
  };
}
