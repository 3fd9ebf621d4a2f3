/**
 * The part of a metric that says what to read. Field names are autoscaling/v2's; the target is left out on purpose,
 * a source does not know what its number is compared with. PredictiveScaler's MetricSpec is assignable to it.
 */

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?:
    | readonly {
        readonly key: string;
        readonly operator: string;
        readonly values?: readonly string[] | undefined;
      }[]
    | undefined;
}

export interface MetricIdentifier {
  readonly name: string;
  readonly selector?: LabelSelector | undefined;
}

export interface ObjectReference {
  readonly apiVersion?: string | undefined;
  readonly kind: string;
  readonly name: string;
}

export interface ResourceMetric {
  readonly type: 'Resource';
  readonly resource: { readonly name: string };
}

export interface ContainerResourceMetric {
  readonly type: 'ContainerResource';
  readonly containerResource: { readonly name: string; readonly container: string };
}

export interface PodsMetric {
  readonly type: 'Pods';
  readonly pods: { readonly metric: MetricIdentifier };
}

export interface ObjectMetric {
  readonly type: 'Object';
  readonly object: { readonly describedObject: ObjectReference; readonly metric: MetricIdentifier };
}

export interface ExternalMetric {
  readonly type: 'External';
  readonly external: { readonly metric: MetricIdentifier };
}

export interface PrometheusMetric {
  readonly type: 'Prometheus';
  readonly prometheus: { readonly serverRef: { readonly name: string }; readonly query: string };
}

export type MetricSpec =
  | ResourceMetric
  | ContainerResourceMetric
  | PodsMetric
  | ObjectMetric
  | ExternalMetric
  | PrometheusMetric;
