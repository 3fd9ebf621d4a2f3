/**
 * The face of the engine: what a wire (HTTP, gRPC, the forecast endpoint) may ask for, and nothing about how models
 * are run. Names and meanings follow the Open Inference Protocol v2 and Triton's repository and statistics
 * extensions, so that a wire has little to translate.
 */
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../logger.ts';

export type Datatype =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'FP32'
  | 'FP64'
  | 'BYTES';

/** BOOL: one byte each, 0 or 1. FP16: the raw 16 bits. BYTES: one Uint8Array per element. Row-major. */
export type TensorData =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array
  | readonly Uint8Array[];

export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 = variable. */
  readonly shape: readonly number[];
}

export interface InferRequest {
  readonly model: string;
  /** Absent or empty: the newest ready version. */
  readonly version?: string;
  readonly inputs: readonly Tensor[];
  /** Names; absent or empty: all outputs. */
  readonly outputs?: readonly string[];
  /** 1 is the highest; absent or 0: the lowest that there is. */
  readonly priority?: number;
  /** Longest stay in the server; DEADLINE after it. */
  readonly timeoutMs?: number;
}

export interface InferAnswer {
  readonly model: string;
  readonly version: string;
  readonly outputs: readonly Tensor[];
  /** How the answer's time went; absent when nothing was run for it. */
  readonly spent?: {
    readonly queueMs: number;
    readonly inputMs: number;
    readonly inferMs: number;
    readonly outputMs: number;
  };
}

export interface ModelMetadata {
  readonly name: string;
  /** Ready versions, oldest first. */
  readonly versions: readonly string[];
  readonly platform: 'onnxruntime_onnx';
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** See `PROPERTY` for the keys that are always there; a forecast model's `foresail.*` metadata stands here too. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Keys of `ModelMetadata.properties`. */
export const PROPERTY = {
  digest: 'sha256',
  opset: 'opset',
  /** `false` for a model that draws random numbers. */
  deterministic: 'deterministic',
  /** cpu | cuda | tensorrt */
  executionProvider: 'executionProvider',
  /** Why this provider, in words: the visible side of a fallback. */
  executionProviderReason: 'executionProviderReason',
  /** dynamic | off */
  batching: 'batching',
  batchingReason: 'batchingReason',
  instances: 'instances',
  /** `forecast` for a file that keeps the forecast contract, else `generic`. */
  contract: 'contract',
} as const;

export interface ModelState {
  readonly name: string;
  readonly version: string;
  readonly state: 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE';
  /** Empty when there is nothing to say. */
  readonly reason: string;
}

export interface Duration {
  readonly count: number;
  readonly ns: number;
}

/** One version's counters since it was loaded, in the shape of Triton's statistics extension. */
export interface VersionStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since the epoch; 0 before the first one. */
  readonly last_inference: number;
  /** Rows that were inferred; a request with a batch of 8 counts 8. */
  readonly inference_count: number;
  /** Runs of the model; inference_count / execution_count is the mean batch. */
  readonly execution_count: number;
  readonly inference_stats: {
    readonly success: Duration;
    readonly fail: Duration;
    readonly queue: Duration;
    readonly compute_input: Duration;
    readonly compute_infer: Duration;
    readonly compute_output: Duration;
  };
  readonly batch_stats: readonly {
    readonly batch_size: number;
    readonly compute_input: Duration;
    readonly compute_infer: Duration;
    readonly compute_output: Duration;
  }[];
}

/** What a version is doing now. */
export interface VersionGauges {
  readonly model: string;
  readonly version: string;
  readonly pendingRequests: number;
  readonly runningRequests: number;
  readonly instancesReady: number;
  readonly restarts: number;
}

/** How a request ended; the names are Triton's failure reasons, in lower case. */
export type Outcome = 'success' | 'rejected' | 'deadline' | 'canceled' | 'invalid' | 'backend';

export interface RequestEvent {
  readonly model: string;
  /** Empty when no version could be chosen. */
  readonly version: string;
  readonly outcome: Outcome;
  /** True when the answer holds NaN or infinity; what that means is for whoever compares versions to say. */
  readonly nonFinite: boolean;
  readonly rows: number;
  /** Nanoseconds; the parts are 0 for a request that never ran. */
  readonly totalNs: number;
  readonly queueNs: number;
  readonly computeInputNs: number;
  readonly computeInferNs: number;
  readonly computeOutputNs: number;
}

export interface BatchEvent {
  readonly model: string;
  readonly version: string;
  readonly requests: number;
  readonly rows: number;
  readonly failed: boolean;
  readonly computeInferNs: number;
}

/** Called on the main loop for every request: keep it short. What it throws is not caught. */
export interface Observer {
  onRequest?(event: RequestEvent): void;
  onBatch?(event: BatchEvent): void;
  onState?(state: ModelState): void;
}

export type Accelerator = 'auto' | 'cpu' | 'cuda' | 'tensorrt';

/** How one model is run; every field has a default (`MODEL_DEFAULTS`). */
export interface ModelOptions {
  readonly accelerator?: Accelerator;
  /** Child processes per version; each holds the model once. */
  readonly instances?: number;
  readonly intraOpThreads?: number;
  readonly interOpThreads?: number;
  /** Rows of one run at most; a single request with more rows runs alone. 1 = no batching. */
  readonly maxBatch?: number;
  /** How long a request may wait for company while the model is idle. */
  readonly maxQueueDelayMs?: number;
  /** Requests that wait, per priority; one more is refused. */
  readonly maxQueue?: number;
  readonly priorityLevels?: number;
  /** Longest stay in the server: picks the batch size, refuses at enqueue what would take longer. */
  readonly latencyTargetMs?: number;
  /** For requests that bring none. */
  readonly defaultTimeoutMs?: number;
  /** A run that takes longer is a hung model: its child is killed. */
  readonly runDeadlineMs?: number;
  /** Start of the child to its ready session. */
  readonly coldStartMs?: number;
  /** Runs before the first request. */
  readonly warmUpRuns?: number;
  /** Memory of the model in one child, above what Node itself takes. */
  readonly memoryMiB?: number;
  /** Size of the file. */
  readonly maxModelBytes?: number;
}

export interface EngineOptions extends ModelOptions {
  /** `<repository>/<model>/<version>/model.onnx` */
  readonly repository: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly observer?: Observer;
  /** none: what lies there at the start; poll: follow the folder; explicit: only what `load` names. Default none. */
  readonly modelControl?: 'none' | 'poll' | 'explicit';
  readonly pollIntervalMs?: number;
  /** Newest versions of a model that are served; default all. */
  readonly latestVersions?: number;
  /** Options of single models, over those above. */
  readonly models?: Readonly<Record<string, ModelOptions>>;
  /** First pause before a crashed child is started again; it doubles. */
  readonly restartBackoffMs?: number;
  /** Crashes within an hour after which a version stays out. */
  readonly maxCrashes?: number;
}

/**
 * All errors are ForesailError; match on `code`:
 * MODEL_NOT_FOUND, MODEL_NOT_READY (retryAfterMs), INPUT_INVALID (subject = the field), OVERLOADED (retryAfterMs),
 * DEADLINE, BACKEND, MODEL_REFUSED (subject = the failed check), LOAD_DISABLED. A request that was aborted rejects with its
 * signal's reason.
 */
export interface Engine {
  live(): boolean;
  /** Every model has a ready version and the engine is not closing. */
  ready(): boolean;
  modelReady(model: string, version?: string): boolean;
  /** @throws MODEL_NOT_FOUND, MODEL_NOT_READY */
  metadata(model: string, version?: string): ModelMetadata;
  infer(request: InferRequest, signal: AbortSignal): Promise<InferAnswer>;
  /**
   * For a request that is not read yet and asks for no priority or time-out of its own: a crowd is sent away at the
   * price of its headers. @throws OVERLOADED
   */
  refuseEarly(model: string, version?: string): void;
  index(readyOnly: boolean): readonly ModelState[];
  /** Reads the model's folder again; settles when its versions serve. @throws MODEL_NOT_FOUND, MODEL_REFUSED, LOAD_DISABLED */
  load(model: string, signal: AbortSignal): Promise<void>;
  /** New requests are refused at once; settles when those under way are answered. @throws MODEL_NOT_FOUND, LOAD_DISABLED */
  unload(model: string, signal: AbortSignal): Promise<void>;
  statistics(model?: string, version?: string): readonly VersionStatistics[];
  gauges(): readonly VersionGauges[];
  /** Settles when nothing is being loaded: `openEngine` itself does not wait for the models. */
  settled(signal: AbortSignal): Promise<void>;
  /** Refuses new requests, answers those under way, ends the children. An abort ends the wait: the rest is cut off. */
  close(signal: AbortSignal): Promise<void>;
}
