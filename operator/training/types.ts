/**
 * What the pods of a run say to the operator over HTTP, as the controller hears it. Reports live in memory only: they
 * are the quick way. The durable way is the pods' termination message, which says the same again (see
 * `termination.ts`), so a restarted operator loses nothing.
 */
import type { LabelSelector } from '../labels.ts';

/** How far an attempt is. Numbers are finite; a value that is not known is null. */
export interface ProgressReport {
  readonly step: number;
  readonly total: number;
  readonly rank: number;
  readonly workers: number;
  readonly loss: number | null;
  readonly score: number | null;
  readonly checkpointStep: number | null;
  readonly samplesPerSecond: number | null;
  readonly etaSeconds: number | null;
  /** Series that are fetched and checked so far, before the first step. */
  readonly prepared?: number | undefined;
  /** Why the newest try at a checkpoint was in vain; training goes on without it. */
  readonly checkpointError?: string | null | undefined;
  readonly device: string;
}

/** Why a pod cannot do its work. */
export interface ErrorReport {
  /** Upper snake case, e.g. `CONFIG_INVALID`. */
  readonly code: string;
  /** Names the field or the series. */
  readonly message: string;
}

/** What the model was made of: what is read of the trainer's lineage.json, schema 1; it has more. */
export interface Lineage {
  readonly schema: 1;
  readonly name: string;
  readonly family: string;
  /** Of model.onnx. */
  readonly sha256: string;
  readonly seed?: number | undefined;
  readonly code?: { readonly package?: string | undefined; readonly sha256?: string | undefined } | undefined;
  readonly data: {
    readonly from?: string | undefined;
    /** Of the data's manifest. */
    readonly sha256?: string | undefined;
    readonly series?: number | undefined;
    readonly points?: number | undefined;
    /** ISO times: learned from [firstTime, trainEnd), chosen by [trainEnd, validateEnd), judged by the rest. */
    readonly firstTime?: string | null | undefined;
    readonly trainEnd?: string | null | undefined;
    readonly validateEnd?: string | null | undefined;
    readonly lastTime?: string | null | undefined;
  };
  readonly scores?: Readonly<Record<string, number>> | undefined;
  readonly attempts?: readonly number[] | undefined;
  readonly createdAt?: string | null | undefined;
}

/** The end of training. */
export interface ResultReport {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Null where it did not fit into the termination message: it lies in `out/lineage.json` too. */
  readonly lineage: Lineage | null;
}

/** The end of the gate. */
export interface GateReport {
  readonly verdict: 'Pass' | 'Fail';
  /** Names of the gates that were not passed. */
  readonly failed: readonly string[];
  readonly scores: Readonly<Record<string, number | null>>;
  readonly published: { readonly storageUri: string; readonly sha256: string } | null;
}

/** A search after each of its trials, and at its end. */
export interface TrialsReport {
  readonly finished: number;
  readonly pruned: number;
  readonly failed: number;
  /** Null before the first whole trial. A lower score is better. */
  readonly best: {
    readonly trial: number;
    readonly params: Readonly<Record<string, number>>;
    readonly score: number;
  } | null;
}

/** Where a report belongs: a run by its uid, and the attempt. */
export interface RunKey {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly attempt: number;
}

/** The newest report of each sort of one attempt. */
export interface AttemptReports {
  readonly progress?: ProgressReport;
  readonly error?: ErrorReport;
  readonly result?: ResultReport;
  readonly gate?: GateReport;
  readonly trials?: TrialsReport;
  /** When the newest of them came, in ms of the clock. */
  readonly at: number;
  /** When a step, or a prepared series, was reported that is newer than every one before, in ms of the clock. */
  readonly advancedAt?: number;
}

export interface RunReports {
  latest(uid: string, attempt: number): AttemptReports | undefined;
  /** Called after each report that was taken, in no reconcile; must only enqueue. Returns how to stop. */
  onReport(listener: (key: RunKey) => void): () => void;
  /** The run has ended or is gone: forget all of its attempts. */
  forget(uid: string): void;
}

/** What the pods of an attempt do. Attempts of all stages of a run share one count. */
export type Stage = 'search' | 'train' | 'gate';

/** What the HTTP face must know of an attempt to let its pods in. The controller answers from its informer. */
export interface AttemptFacts {
  /** Of the TrainingJob. */
  readonly uid: string;
  /** Hex; the annotation `foresail.io/token-sha256` of the attempt's Job. */
  readonly tokenSha256: string;
  /** Which reports are taken: nothing that trains may say that it passed the gate. */
  readonly stage: Stage;
  /** False once the attempt is over: its pods get 409. */
  readonly live: boolean;
  /** What its data are; undefined when they come from a store. */
  readonly data?: {
    readonly selector: LabelSelector;
    /** True only for a run in the operator's own namespace whose spec says so. */
    readonly allNamespaces: boolean;
    readonly windowMs: number;
  };
}

/** undefined: no such run or attempt (404). Synchronous, from memory: it is asked for each request. */
export type AttemptLookup = (namespace: string, name: string, attempt: number) => AttemptFacts | undefined;
