/** What the administrator's configuration says of runs, in milliseconds where it is time. */
import type { FetchSettings } from '../../fetching.ts';

export interface TrainingSettings {
  /** Where pods reach the operator, such as `http://foresail.foresail-system.svc:8081`; absent: they do not report. */
  readonly address?: string | undefined;
  /** PEM file of the authorities by which they know it there; absent: those that their image knows. */
  readonly caFile?: string | undefined;
  /** MLflow server of runs that name none. */
  readonly trackingUri?: string | undefined;
  /** Image with `foresail gate` and `foresail fetch`; absent: nothing is trained. */
  readonly image?: string | undefined;
  /** What starts `foresail` in it. */
  readonly command: readonly string[];
  readonly fetch: FetchSettings;
  /** Schemes of data and output that are allowed. */
  readonly schemes: readonly string[];
  /** Those of models that serve, and are to be beaten. */
  readonly incumbentSchemes: readonly string[];
  readonly serviceAccounts: readonly string[];
  readonly protectedNamespaces: readonly string[];
  /** The operator's own, where data of all namespaces may be asked for. */
  readonly namespace: string;
  readonly elasticWaitMs: number;
  readonly fencingMs: number;
  /** Before the first restart after a failure, doubled with each, and at most. */
  readonly restartDelay: { readonly firstMs: number; readonly mostMs: number };
}
