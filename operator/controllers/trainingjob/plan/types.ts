/**
 * The border of the plan: a pure function from what a run asks for, what it was so far, what is seen of its Jobs and
 * pods and what time it is, to what should be. No I/O, no clock.
 */

import type { TrainingJobStatus } from '../../../api/index.ts';

/** Why an attempt ended. Only `Error` and `Stalled` are the run's own fault and count against its limit. */
export const CAUSES = [
  'ConfigError',
  'Error',
  'Stalled',
  'VolumeFull',
  'StorageAway',
  'Disruption',
  'Resized',
  'CpuFallback',
  'Suspended',
  'Fenced',
  'NeverStarted',
  'Searched',
] as const;
export type Cause = (typeof CAUSES)[number];

export interface RunSettings {
  /** Why the administrator does not let it begin, or begin again; what goes on goes on. Then `gpu` says nothing. */
  readonly refusal?: { readonly reason: string; readonly message: string } | undefined;
  readonly nodes: number;
  /** As `nodes` where the run is not elastic. */
  readonly minNodes: number;
  /** Before it trains it searches, with so many workers; each is worth having alone. */
  readonly searchNodes?: number | undefined;
  /** How long pods may wait for room before the run goes on with those that have it. */
  readonly elasticWaitMs: number;
  /** It asks for GPUs. */
  readonly gpu: boolean;
  /** How long to wait for them; undefined: for ever. */
  readonly gpuFallbackMs?: number | undefined;
  readonly backoffLimit: number;
  /** Before the first restart after a failure, doubled with each, and at most. */
  readonly restartDelay: { readonly firstMs: number; readonly mostMs: number };
  readonly progressDeadlineMs: number;
  /** Name of the claim that it writes to. */
  readonly claim: string;
  /** Pods that search write to the disks of their nodes, and not to the claim. */
  readonly searchScratch: boolean;
  readonly suspend: boolean;
  /** Somebody else lets its Jobs go. */
  readonly queued: boolean;
  readonly ttlMs?: number | undefined;
  /** How long after its time a pod that does not go away is taken for one on a dead node. */
  readonly fencingMs: number;
  /** Whether a model that passes the gate becomes a version. */
  readonly registers: boolean;
}

export interface Finding {
  readonly cause: Cause;
  readonly message: string;
}

export interface Ended extends Finding {
  readonly atMs: number;
  /** It is counted, nothing of it is left, and this is when the next may start. */
  readonly retryAtMs?: number | undefined;
  /** Pods of the next one, where they are not what the spec asks for. */
  readonly nextNodes?: number | undefined;
}

/** One gang: a Job of its own, with a number that the gangs before it do not have. */
export interface Attempt {
  readonly number: number;
  /** Its pods search hyperparameters; those of any other train. */
  readonly searches?: true | undefined;
  readonly nodes: number;
  /** It asks for no GPUs, because none could be had in time or because the run does not want any. */
  readonly onCpu: boolean;
  readonly createdAtMs: number;
  /** Why the one before it ended. */
  readonly after?: Cause | undefined;
  /** Its Job has its token. With a queue it may still wait. */
  readonly launchedAtMs?: number | undefined;
  /** Its pods were let go. */
  readonly startedAtMs?: number | undefined;
  /** Since when its pods wait for room and nothing else: before that they waited for a volume. */
  readonly roomSinceMs?: number | undefined;
  /** Workers of a search that failed and were started again, alone. */
  readonly failures?: number | undefined;
  readonly ended?: Ended | undefined;
}

export interface Progress {
  readonly step: number;
  readonly total: number;
  readonly loss?: number | undefined;
  readonly score?: number | undefined;
  readonly checkpointStep?: number | undefined;
  /** Why the newest try at one was in vain. */
  readonly checkpointError?: string | undefined;
  readonly samplesPerSecond?: number | undefined;
  readonly etaSeconds?: number | undefined;
  readonly device?: string | undefined;
  /** As it was said: when a step was new. As it stands in status: when it was written. */
  readonly atMs: number;
}

/** The best of a search so far. */
export type BestTrial = NonNullable<TrainingJobStatus['bestTrial']>;

/** In the words of the status, which nobody reads but people. */
type Candidate = NonNullable<TrainingJobStatus['candidate']>;

export interface Result {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly lineage?: Candidate['lineage'];
  readonly scores?: Candidate['scores'];
  /** Whose it is. */
  readonly attempt: number;
}

export interface Verdict {
  readonly verdict: 'Pass' | 'Fail';
  readonly failed: readonly string[];
  readonly scores: Readonly<Record<string, string>>;
  readonly published?: { readonly storageUri: string; readonly sha256: string } | undefined;
}

/** A volume had no room for what the gate writes: nothing was judged, or what was judged could not be brought to its store. */
export interface GateWait {
  /** Gates that ended so. */
  readonly times: number;
  readonly message: string;
  /** When the newest did. */
  readonly atMs: number;
  /** Nothing is judged before; undefined once it is judged again. */
  readonly retryAtMs?: number | undefined;
}

/** The version that came of it. */
export interface Produced {
  readonly registry: string;
  readonly version: number;
  readonly alias?: string | undefined;
  readonly storageUri: string;
  readonly sha256: string;
  readonly atMs: number;
}

export interface Outcome {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
  readonly atMs: number;
}

/** Restarts by what caused them. */
export type Restarts = Readonly<Partial<Record<Cause, number>>>;

/** What outlives a pass and a leader: it stands in status. */
export interface RunState {
  readonly attempt?: Attempt | undefined;
  readonly restarts: Restarts;
  readonly progress?: Progress | undefined;
  readonly best?: BestTrial | undefined;
  readonly result?: Result | undefined;
  readonly gateWait?: GateWait | undefined;
  readonly gate?: Verdict | undefined;
  readonly produced?: Produced | undefined;
  readonly startedAtMs?: number | undefined;
  readonly outcome?: Outcome | undefined;
}

export const NO_RUN: RunState = { restarts: {} };

export interface Exit {
  readonly code: number;
  /** The kubelet's word, such as OOMKilled. */
  readonly reason?: string | undefined;
  /** The last line that the container left. */
  readonly message?: string | undefined;
}

/** What a container left as its last words, or said over HTTP. */
export interface Told {
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  readonly result?: Omit<Result, 'attempt'> | undefined;
  readonly gate?: Verdict | undefined;
  readonly best?: BestTrial | undefined;
}

export interface SeenPod {
  readonly name: string;
  readonly index?: number | undefined;
  /** Its containers have ended for good. */
  readonly done: boolean;
  readonly running: boolean;
  /** When its last container ended. */
  readonly endedAtMs?: number | undefined;
  /** When it should have been gone. */
  readonly goneByMs?: number | undefined;
  readonly scheduledAtMs?: number | undefined;
  /** When its container began to run. */
  readonly startedAtMs?: number | undefined;
  readonly unschedulableSinceMs?: number | undefined;
  /** What the scheduler says of it meanwhile. */
  readonly unschedulable?: string | undefined;
  /** Something took it away, or its node is lost: what is known of it. */
  readonly disrupted?: string | undefined;
  readonly exit?: Exit | undefined;
  /** What keeps it from starting. */
  readonly waiting?: string | undefined;
  readonly told: Told;
}

export interface SeenJob {
  readonly deleting: boolean;
  /** Its token exists. */
  readonly launched: boolean;
  readonly suspended: boolean;
  readonly done?: 'Complete' | 'Failed' | undefined;
  readonly doneAtMs?: number | undefined;
  readonly message?: string | undefined;
  /** Its controller says which of its rules a pod has met; the pod itself may be gone. */
  readonly failedOn?: 'ConfigError' | 'Disruption' | 'VolumeFull' | undefined;
}

/** A gang as the cluster has it: its Job, its pods, or what is left of them. */
export interface SeenAttempt {
  readonly number: number;
  readonly job?: SeenJob | undefined;
  readonly pods: readonly SeenPod[];
}

export interface Observed {
  readonly settings: RunSettings;
  readonly state: RunState;
  /** Attempts of which the cluster has something, the newest last. */
  readonly attempts: readonly SeenAttempt[];
  readonly gate: Omit<SeenAttempt, 'number'>;
  /** Pods of another object that had this name. */
  readonly strangers: readonly SeenPod[];
  /** What the current attempt has said over HTTP. */
  readonly said: Told & { readonly progress?: Progress | undefined };
  /** Of `now` as it stands in status. */
  readonly lastReason?: string | undefined;
  /** When this process first saw the current attempt: what happened before, nobody heard. */
  readonly watchedSinceMs: number;
  /** This process made its token, so a start that was cut off can go on. */
  readonly holdsToken: boolean;
  readonly nowMs: number;
}

export type Action =
  /** Job, token, and off; goes on where it was cut off. */
  | { readonly kind: 'launch'; readonly attempt: Attempt }
  | { readonly kind: 'deleteAttempt'; readonly number: number }
  /** With a time of its own to end in; 0: by force, without its node’s word. */
  | { readonly kind: 'deletePod'; readonly name: string; readonly graceMs: number }
  | { readonly kind: 'startGate' }
  | { readonly kind: 'deleteGate' }
  | { readonly kind: 'register'; readonly published: NonNullable<Verdict['published']> }
  | { readonly kind: 'deleteRun' };

export type Phase =
  | 'Pending'
  | 'Queued'
  | 'Suspended'
  | 'Searching'
  | 'Training'
  | 'Gating'
  | 'Complete'
  | 'Failed';

/** What the run is about, in a word for programs and a sentence for people. */
export interface Now {
  readonly phase: Phase;
  readonly reason: string;
  readonly message: string;
}

export interface RunEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/**
 * A plan either moves the state on or acts on it, never both: what is done rests on what stands in status, so a crash
 * between two writes leaves nothing that the next leader cannot read.
 */
export interface Plan {
  readonly state: RunState;
  readonly actions: readonly Action[];
  readonly now: Now;
  readonly events: readonly RunEvent[];
  readonly requeueAfterMs?: number | undefined;
}
