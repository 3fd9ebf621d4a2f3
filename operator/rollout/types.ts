/**
 * The border of operator/rollout: a pure function from what is wanted, what was so far, what is seen and what time it
 * is, to what should be. No I/O, no clock: the controller and any simulation call the same code.
 */

/** One of the four; anything else is refused at admission. */
export interface Step {
  readonly shadow?: { readonly percent: number } | undefined;
  readonly setWeight?: number | undefined;
  readonly pause?: { readonly durationMs?: number | undefined } | undefined;
  readonly analysis?: object | undefined;
}

export interface ModelSource {
  readonly storageUri: string;
  /** sha256 of the file: the identity of a version. */
  readonly digest: string;
}

/** A version of an A/B test. */
export interface Variant extends ModelSource {
  readonly name: string;
  /** Per cent of the traffic; stable answers the rest. */
  readonly weight: number;
}

export interface RolloutSettings {
  /** Pods that all of the traffic needs. */
  readonly replicas: number;
  readonly steps: readonly Step[];
  readonly paused: boolean;
  readonly promote?: { readonly version: number; readonly step?: number | undefined } | undefined;
  readonly abort?: { readonly version: number } | undefined;
  readonly retry?: { readonly version: number } | undefined;
  readonly undo?: { readonly version: number; readonly to: number } | undefined;
  readonly judge: {
    readonly maxDurationMs: number;
    readonly onInconclusive: 'Hold' | 'Promote' | 'Rollback';
    readonly onNoData: 'Hold' | 'Rollback';
  };
  readonly progressDeadlineMs: number;
  readonly asksForGpu?: boolean | undefined;
  /** How long to wait for a node with a GPU; undefined: no GPU is asked for, or for ever. */
  readonly gpuFallbackMs?: number | undefined;
  readonly watchMs: number;
  /** How long a version without weight keeps its pods, until nobody sends to it any more. */
  readonly drainMs: number;
  readonly historyLimit: number;
  readonly variants?: readonly Variant[] | undefined;
}

export type Outcome =
  | 'Rolling'
  | 'Serving'
  | 'Replaced'
  | 'Aborted'
  | 'Superseded'
  | 'RolledBack'
  | 'Undone'
  | 'Testing'
  | 'Tested';

export interface VersionRecord extends ModelSource {
  readonly version: number;
  readonly outcome: Outcome;
  /** It was promoted once. */
  readonly proven: boolean;
  /** No node with a GPU had room in time: it is served by CPU. */
  readonly onCpu?: boolean | undefined;
  readonly reason?: string;
  readonly message?: string;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
}

export interface Canary {
  readonly version: number;
  readonly startedAtMs: number;
  /** Index of the step that it is at; the number of steps when all are done. */
  readonly step: number;
  readonly stepStartedAtMs: number;
  /** Since when too few of its pods have been ready. */
  readonly unreadySinceMs?: number | undefined;
}

/** A version without weight that still has pods. */
export interface Kept {
  readonly version: number;
  readonly untilMs: number;
  /** `Watch`: all pods, to return to at once. `Drain`: what it has, until nobody sends to it any more. */
  readonly for: 'Watch' | 'Drain';
}

export interface Share {
  readonly version: number;
  /** Whole per cent; those of all shares sum to 100, or there is none because nobody has a ready pod. */
  readonly weight: number;
  /** Per cent of the other versions' requests that are copied to it. */
  readonly mirrorPercent: number;
}

/** The version that a variant of an A/B test is. */
export interface VariantVersion {
  readonly name: string;
  readonly version: number;
}

/** What outlives a pass and a leader: it stands in status. */
export interface RolloutState {
  readonly stable: number | undefined;
  readonly canary: Canary | undefined;
  readonly kept: readonly Kept[];
  readonly variants?: readonly VariantVersion[];
  /** As it was published last: what routers may still go by. */
  readonly traffic: readonly Share[];
  /** Oldest first; numbers grow. */
  readonly history: readonly VersionRecord[];
}

export const NO_ROLLOUT: RolloutState = {
  stable: undefined,
  canary: undefined,
  kept: [],
  traffic: [],
  history: [],
};

/** The pods of a version as the cluster has them. */
export interface Pods {
  /** Ordered. */
  readonly replicas: number;
  readonly ready: number;
  /** Ready for long enough to be trusted with more. */
  readonly available: number;
  /** Of the server in the pod that restarted most. */
  readonly restarts?: number;
  /** What keeps a pod from starting, for people. */
  readonly problem?: string;
  /** Since when no node has had room for one of them. */
  readonly unschedulableSinceMs?: number;
}

export interface Judgement {
  /** Versions that were compared: a judgement of others says nothing. */
  readonly candidate: number;
  readonly baseline: number;
  readonly verdict: 'Promote' | 'Rollback' | 'Inconclusive';
  /** Forecasts of both that were scored, or requests of both that were compared; 0 is no data. */
  readonly labels: number;
  /** A guard cannot see: whatever else was scored, it counts as no data. */
  readonly blind?: boolean | undefined;
  /** Why it goes back, in one word for programs; absent: `JudgedWorse`. */
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

export interface RolloutInput {
  readonly settings: RolloutSettings;
  /** Undefined while it is not known which file is wanted: then nothing new begins. */
  readonly wanted: ModelSource | undefined;
  readonly state: RolloutState;
  readonly pods: ReadonlyMap<number, Pods>;
  /** `none`: there is no judge, and an analysis can only be passed by a person. */
  readonly judge: 'none' | Judgement | undefined;
  readonly nowMs: number;
}

export interface RolloutEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface RolloutCondition {
  readonly type: 'Ready' | 'Progressing' | 'Judged' | 'Accelerated' | 'Testing';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export type Phase = 'Pending' | 'Progressing' | 'Paused' | 'Healthy' | 'Degraded';

/** A version that shall have pods. */
export interface WantedVersion extends ModelSource {
  readonly version: number;
  readonly replicas: number;
  readonly onCpu: boolean;
}

export interface RolloutPlan {
  readonly state: RolloutState;
  /** Every version that shall have pods; whatever else has some may lose them. */
  readonly versions: readonly WantedVersion[];
  readonly phase: Phase;
  readonly conditions: readonly RolloutCondition[];
  readonly events: readonly RolloutEvent[];
  /** When time alone will change the plan. */
  readonly requeueAfterMs: number | undefined;
}
