/** The CustomResourceDefinition of PredictiveScaler, out of its schema. */
import { PREDICTIVE_SCALER, predictiveScalerSchema } from '../predictivescaler/kind.ts';
import { type StructuralSchema, toStructural } from './structural.ts';

interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description: string;
}

/** What `kubectl get predictivescalers` shows. */
export const COLUMNS: readonly Column[] = [
  { name: 'Target', type: 'string', jsonPath: '.status.target', description: 'What is scaled.' },
  { name: 'Mode', type: 'string', jsonPath: '.status.mode', description: 'Mode in force.' },
  { name: 'Min', type: 'integer', jsonPath: '.spec.minReplicas', description: 'Lower bound.' },
  { name: 'Max', type: 'integer', jsonPath: '.spec.maxReplicas', description: 'Upper bound.' },
  { name: 'Replicas', type: 'integer', jsonPath: '.status.currentReplicas', description: 'Replicas now.' },
  { name: 'Desired', type: 'integer', jsonPath: '.status.desiredReplicas', description: 'Replicas ordered.' },
  {
    name: 'Forecast',
    type: 'integer',
    jsonPath: '.status.forecast.replicas',
    description: 'Replicas that the forecast asks for.',
  },
  { name: 'Lead', type: 'string', jsonPath: '.status.leadTime.value', description: 'Lead time in force.' },
  {
    name: 'Verdict',
    type: 'string',
    jsonPath: '.status.verdict.recommendation',
    description: 'Mode that the comparison with HPA speaks for.',
  },
  {
    name: 'Ready',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: 'Whether the object does its work.',
  },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Age of the object.' },
];

export interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** `apiVersion`, `kind` and `metadata` are the server's own; it refuses rules of ours about them. */
export function openApiSchema(): StructuralSchema {
  const whole = toStructural(predictiveScalerSchema);
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

export function predictiveScalerCrd(): CustomResourceDefinition {
  const { group, version, kind, listKind, plural, singular, shortNames, categories } = PREDICTIVE_SCALER;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, listKind, plural, singular, shortNames, categories },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS,
          schema: { openAPIV3Schema: openApiSchema() },
        },
      ],
    },
  };
}
