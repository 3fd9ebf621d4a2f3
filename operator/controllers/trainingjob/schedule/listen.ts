/** Which PredictiveScalers a TrainingJob listens to, and which TrainingJobs listen to one. */
import type { TrainingJob } from '../../../api/index.ts';
import { formatSelector, parseSelector } from '../../../labels.ts';
import { type KubeObject, keyOf, type Store } from '../../../runtime/index.ts';
import { drifts, missedTenths, type WatchedScaler } from './signs.ts';

export type Scalers = Pick<Store<WatchedScaler>, 'list' | 'inNamespace'>;

/** @param operatorNamespace there alone a run may have the data of all namespaces */
export function listener(scalers: Scalers, operatorNamespace: string) {
  return ({ metadata, spec }: TrainingJob): readonly WatchedScaler[] => {
    const of = spec.data.predictiveScalers;
    if (of === undefined || (of.allNamespaces && metadata.namespace !== operatorNamespace)) return [];
    const selector = parseSelector(formatSelector(of.selector));
    return (of.allNamespaces ? scalers.list() : scalers.inNamespace(metadata.namespace)).filter((scaler) =>
      selector.matches(scaler.metadata.labels ?? {}),
    );
  };
}

/** Keys of the TrainingJobs that a scaler may concern; which of them select it is theirs to find out. */
export function listeners(objects: Pick<Store<KubeObject>, 'list'>) {
  return ({ metadata: { namespace } }: KubeObject): string[] =>
    objects
      .list()
      .filter((object) => {
        const { spec } = object as { readonly spec?: Partial<TrainingJob['spec']> };
        return (
          spec?.triggers !== undefined &&
          (object.metadata.namespace === namespace || spec.data?.predictiveScalers?.allNamespaces === true)
        );
      })
      .map(keyOf);
}

/** Scalers write their status all the time; a sign comes or goes seldom. */
export function signChanged(before: WatchedScaler, after: WatchedScaler): boolean {
  const sign = (scaler: WatchedScaler) =>
    JSON.stringify([
      drifts(scaler),
      missedTenths(scaler),
      scaler.status?.conditions?.find(({ type }) => type === 'ForecastDrift')?.reason,
      scaler.metadata.labels,
      scaler.metadata.deletionTimestamp,
    ]);
  return sign(before) !== sign(after);
}
