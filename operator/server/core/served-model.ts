/**
 * The versions of one model and which of them answers. A new version is loaded and checked while the old ones serve; a
 * version leaves only when enough newer ones are ready, or when its folder is gone. All changes go one after the other.
 */
import { isForesailError, messageOf } from '../../errors.ts';
import { notFound, notReady, type RefusalReason, refused } from './errors.ts';
import { compareVersions, type FoundModel, type FoundVersion, type RefusedEntry } from './repository.ts';
import type { ServedVersion } from './served-version.ts';
import type { ModelState } from './types.ts';

export interface ModelOptions {
  readonly name: string;
  readonly latestVersions: number;
  readonly open: (found: FoundVersion, signal: AbortSignal) => Promise<ServedVersion>;
  /** Loads it when it is its turn. */
  readonly load: (version: ServedVersion, signal: AbortSignal) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export class ServedModel {
  readonly #options: ModelOptions;
  readonly #versions = new Map<string, ServedVersion>();
  /** Why a changed file did not replace the version that serves. */
  readonly #rejected = new Map<string, { fingerprint: string; reason: string }>();
  readonly #draining = new Set<ServedVersion>();
  #refused: readonly RefusedEntry[] = [];
  #passedOver: readonly string[] = [];
  #changes: Promise<void> = Promise.resolve();
  /** Ends the loads under way when the model is unloaded. */
  #halt = new AbortController();

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  /** Newest first. */
  get versions(): readonly ServedVersion[] {
    return [...this.#versions.values()].sort((a, b) => compareVersions(b.version, a.version));
  }

  get ready(): boolean {
    return this.versions.some((version) => version.ready);
  }

  get gone(): boolean {
    return this.#versions.size === 0 && this.#draining.size === 0 && this.#refused.length === 0;
  }

  get states(): readonly ModelState[] {
    const { name } = this.#options;
    const served = this.versions.map(({ version, state }) => {
      const rejected = this.#rejected.get(version);
      return rejected === undefined || state.reason !== ''
        ? state
        : { ...state, reason: `the changed file is refused: ${rejected.reason}` };
    });
    const unserved = this.#passedOver.map((version) => ({
      name,
      version,
      state: 'UNAVAILABLE' as const,
      reason: `not among the newest ${this.#options.latestVersions} versions`,
    }));
    const unusable = this.#refused.map((entry) => ({ ...entry, state: 'UNAVAILABLE' as const }));
    return [...served, ...[...this.#draining].map((one) => one.state), ...unserved, ...unusable];
  }

  /** @throws MODEL_NOT_FOUND, MODEL_NOT_READY */
  pick(version: string | undefined): ServedVersion {
    const { name } = this.#options;
    if (version !== undefined && version !== '') {
      const exact = this.#versions.get(version);
      if (exact === undefined) throw notFound(name, version);
      return exact;
    }
    const { versions } = this;
    const ready = versions.find((candidate) => candidate.ready);
    if (ready !== undefined) return ready;
    const [newest] = versions;
    const reason = newest?.state.reason ?? this.#refused[0]?.reason;
    if (reason === undefined) throw notFound(name);
    throw notReady(name, reason);
  }

  /**
   * Brings what is served in line with what lies there; settles when it is, or when an unload came in between. Never
   * rejects but with the signal's reason.
   * @param retry also loads again what was refused or crashed too often
   */
  apply(found: FoundModel, retry: boolean, signal: AbortSignal): Promise<void> {
    const change = this.#changes.then(async () => {
      const halt = this.#halt.signal;
      try {
        await this.#apply(found, retry, AbortSignal.any([signal, halt]));
      } catch (error) {
        if (signal.aborted || !halt.aborted) throw error;
      }
    });
    this.#changes = change.catch(() => undefined);
    return change;
  }

  /** @throws MODEL_REFUSED when the newest version of what was found does not serve, its subject being the failed check */
  assertServing(found: FoundModel): void {
    const newest = found.versions.at(-1)?.version ?? found.refused[0]?.version;
    const rejected = this.#rejected.get(newest ?? '');
    if (rejected === undefined && this.#versions.get(newest ?? '')?.ready === true) return;
    const reason = rejected?.reason ?? this.states.find((state) => state.version === newest)?.reason;
    const check = /^[A-Z]\w+(?=: )/.exec(reason ?? '')?.[0] ?? 'LoadFailed';
    throw refused(check as RefusalReason, `version ${newest} does not serve: ${reason ?? 'it was unloaded'}`);
  }

  /** Drains every version. */
  async unload(): Promise<void> {
    this.#halt.abort(notReady(this.#options.name, 'it is being unloaded'));
    this.#halt = new AbortController();
    const change = this.#changes.then(async () => {
      this.#refused = [];
      this.#passedOver = [];
      await Promise.all(this.versions.map((version) => this.#retire(version)));
    });
    this.#changes = change.catch(() => undefined);
    await change;
    await Promise.all([...this.#draining].map((version) => version.drain()));
  }

  kill(): void {
    for (const version of [...this.#versions.values(), ...this.#draining]) version.kill();
  }

  async #apply(found: FoundModel, retry: boolean, signal: AbortSignal): Promise<void> {
    this.#refused = found.refused;
    const present = new Set(found.versions.map((version) => version.version));
    for (const version of this.versions) if (!present.has(version.version)) void this.#retire(version);
    let wanted = this.#options.latestVersions;
    const passedOver: string[] = [];
    for (const candidate of found.versions.toReversed()) {
      if (wanted <= 0) {
        passedOver.push(candidate.version);
        continue;
      }
      // oxlint-disable-next-line no-await-in-loop -- newest first, one load at a time
      if (await this.#serve(candidate, retry, signal)) wanted--;
    }
    for (const version of passedOver) {
      const old = this.#versions.get(version);
      if (old !== undefined) void this.#retire(old);
    }
    this.#passedOver = passedOver;
  }

  /** True when this version serves afterwards, be it with its older file. */
  async #serve(found: FoundVersion, retry: boolean, signal: AbortSignal): Promise<boolean> {
    const { version, fingerprint } = found;
    const current = this.#versions.get(version);
    if (current?.fingerprint === fingerprint && !(retry && current.quarantined)) {
      this.#rejected.delete(version);
      return !current.quarantined;
    }
    if (!retry && this.#rejected.get(version)?.fingerprint === fingerprint) return current?.ready === true;
    const next = await this.#options.open(found, signal);
    // Where nothing serves under this number, the loading one is shown; else it comes in when it is ready.
    if (current?.ready !== true) this.#put(version, next);
    try {
      await this.#options.load(next, signal);
      this.#rejected.delete(version);
      this.#put(version, next);
      return true;
    } catch (error) {
      if (!isForesailError(error, 'MODEL_REFUSED')) {
        if (this.#versions.get(version) === next) this.#versions.delete(version);
        signal.throwIfAborted();
        return false;
      }
      if (this.#versions.get(version) !== next) {
        this.#rejected.set(version, { fingerprint, reason: `${error.subject}: ${messageOf(error)}` });
        return current?.ready === true;
      }
      return false;
    }
  }

  #put(version: string, next: ServedVersion): void {
    const current = this.#versions.get(version);
    if (current === next) return;
    this.#versions.set(version, next);
    if (current !== undefined) void this.#drain(current);
  }

  async #retire(version: ServedVersion): Promise<void> {
    this.#versions.delete(version.version);
    this.#rejected.delete(version.version);
    await this.#drain(version);
  }

  async #drain(version: ServedVersion): Promise<void> {
    this.#draining.add(version);
    await version.drain().catch(this.#options.onError);
    this.#draining.delete(version);
  }
}
