/**
 * The border of operator/kube: what an API object, a resource and a client look like to everybody else. There are
 * no generated models on purpose. A typed model drops the fields that it does not know on read-modify-write, and we
 * patch only fields that are ours.
 */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
}

/** Anything that the API server stores. Kinds of our own extend it with `spec` and `status`. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** The address of a kind in the REST API. `group` is '' for the core group. */
export interface ResourceRef {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** `namespace` is '' for objects without one. As one string it reads `namespace/name`, or `name` (see keys.ts). */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

export interface KubeList<T extends KubeObject> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  /** Set when there are more pages. */
  readonly continue?: string;
}

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  /** '0' is served from the API server's watch cache; absent means the newest state. */
  readonly resourceVersion?: string;
}

export interface WriteOptions {
  /** The server refuses the write with KUBE_CONFLICT when the object has moved on from this version. */
  readonly resourceVersion?: string;
  /** Refuses unknown and duplicate fields instead of dropping them. Default 'Strict'. */
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
  /** Name under which the server remembers the fields that are written. Default: that of the program. */
  readonly fieldManager?: string;
}

/** autoscaling/v1 Scale, the same for every kind that has the subresource. */
export interface Scale extends KubeObject {
  readonly spec: { readonly replicas: number };
  readonly status: { readonly replicas: number; readonly selector?: string };
}

export interface TokenReviewStatus {
  readonly authenticated: boolean;
  readonly user?: { readonly username: string; readonly uid?: string; readonly groups?: readonly string[] };
  readonly error?: string;
}

export interface SubjectAccessReviewSpec {
  readonly user: string;
  readonly groups?: readonly string[];
  readonly nonResourceAttributes?: { readonly path: string; readonly verb: string };
  readonly resourceAttributes?: {
    readonly namespace?: string;
    readonly verb: string;
    readonly group?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly name?: string;
  };
}

/** Reads JSON by path: the metrics APIs and everything else that has no kind. */
export interface ApiReader {
  getJson(path: string, signal: AbortSignal): Promise<unknown>;
}

export interface Reader extends ApiReader {
  get<T extends KubeObject>(ref: ResourceRef, key: ObjectKey, signal: AbortSignal): Promise<T>;
  list<T extends KubeObject>(
    ref: ResourceRef,
    options: ListOptions,
    signal: AbortSignal,
  ): Promise<KubeList<T>>;
  getScale(ref: ResourceRef, key: ObjectKey, signal: AbortSignal): Promise<Scale>;
  /** Creates nothing that lasts: asks who a bearer token belongs to. */
  reviewToken(token: string, audiences: readonly string[], signal: AbortSignal): Promise<TokenReviewStatus>;
  /** Creates nothing that lasts: asks whether a user may do something. */
  reviewAccess(spec: SubjectAccessReviewSpec, signal: AbortSignal): Promise<boolean>;
}

export interface Writer {
  create<T extends KubeObject>(ref: ResourceRef, object: T, signal: AbortSignal): Promise<T>;
  /** Replaces the whole object; `metadata.resourceVersion` is required. Only for objects that are wholly ours. */
  update<T extends KubeObject>(ref: ResourceRef, object: T, signal: AbortSignal): Promise<T>;
  mergePatch<T extends KubeObject>(
    ref: ResourceRef,
    key: ObjectKey,
    patch: object,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<T>;
  /** Merge patch of the status subresource; `patch` is what goes under `status`. */
  patchStatus<T extends KubeObject>(
    ref: ResourceRef,
    key: ObjectKey,
    patch: object,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<T>;
  /** Server-side apply of the status subresource, for lists whose entries have several owners. */
  applyStatus<T extends KubeObject>(
    ref: ResourceRef,
    object: T,
    fieldManager: string,
    signal: AbortSignal,
  ): Promise<T>;
  /** A merge patch: server-side apply on the scale of a custom resource is answered with 500. */
  patchScale(
    ref: ResourceRef,
    key: ObjectKey,
    replicas: number,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<Scale>;
  delete(ref: ResourceRef, key: ObjectKey, options: DeleteOptions, signal: AbortSignal): Promise<void>;
}

export interface DeleteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** 0 takes a pod away without its node's word. */
  readonly gracePeriodSeconds?: number;
}

/**
 * A client for any kind. Every call has a deadline of its own beside the signal; every error is a ForesailError
 * whose code begins with KUBE_ (errors.ts has the list).
 */
export interface Client extends Reader, Writer {}

/** What discovery says about a kind. */
export interface ResourceInfo {
  readonly ref: ResourceRef;
  readonly kind: string;
  /** Whether the kind has a /scale subresource. */
  readonly scalable: boolean;
}

export interface Discovery {
  /** Throws KUBE_UNKNOWN_KIND (transient: the CRD may be installed later) when the server does not serve it. */
  resolve(apiVersion: string, kind: string, signal: AbortSignal): Promise<ResourceInfo>;
}

/** A read-only view of what an informer has seen. Lists are snapshots: they do not change under the reader. */
export interface Store<T extends KubeObject> {
  readonly size: number;
  get(key: string): T | undefined;
  list(): readonly T[];
  inNamespace(namespace: string): readonly T[];
  /** Objects for which the index function of that name gave `value`. An unknown index name throws. */
  byIndex(index: string, value: string): readonly T[];
}

export interface InformerHandler<T extends KubeObject> {
  onAdd?(object: T): void;
  onUpdate?(before: T, after: T): void;
  /** Also called for objects whose deletion was missed and found by a relist. */
  onDelete?(last: T): void;
}

export interface Informer<T extends KubeObject> {
  readonly name: string;
  readonly store: Store<T>;
  /** True once the first complete state was seen; stays true through restarts. */
  readonly hasSynced: boolean;
  /** Milliseconds of monotonic time since the stream was last known alive, for health and staleness. */
  readonly silentForMs: number;
  /** A handler added late is told of everything that is there. Returns the function that removes it. */
  subscribe(handler: InformerHandler<T>): () => void;
  /** Resolves when the signal aborts; never rejects for the network's sake. */
  run(signal: AbortSignal): Promise<void>;
  waitForSync(signal: AbortSignal): Promise<void>;
}
