/**
 * A run on a cluster of a few lines: what Job controller, scheduler and kubelets do to the objects that a plan asks for,
 * one event at a time, so that tables and properties can put the events in any order. Only the plan is the real thing.
 */
import { decide } from '../plan/decide.ts';
import {
  type Action,
  type Attempt,
  NO_RUN,
  type Observed,
  type Plan,
  type Progress,
  type RunSettings,
  type RunState,
  type SeenPod,
  type Told,
  type Verdict,
} from '../plan/types.ts';

const GRACE_MS = 120_000;
/** Before a Job starts a pod again; after the first time, and it will do for all. */
const REPLACED_AFTER_MS = 10_000;

interface Pod {
  readonly name: string;
  readonly index: number;
  scheduledAtMs?: number;
  unschedulableSinceMs?: number;
  unschedulable?: string;
  state: 'Pending' | 'Running' | 'Done';
  goneByMs?: number;
  /** Its node does not answer any more: it ends only by force. */
  dead?: boolean;
  disrupted?: string;
  code?: number;
  endedAtMs?: number;
  told: Told;
}

interface Gang {
  job?: {
    deleting: boolean;
    launched: boolean;
    suspended: boolean;
    done?: 'Complete' | 'Failed';
    doneAtMs?: number;
  };
  pods: Pod[];
  /** Pods that it should have. */
  size?: number;
  /** Its Job starts again what fails or goes, and nothing else. */
  alone?: boolean;
}

export const SETTINGS: RunSettings = {
  nodes: 2,
  minNodes: 2,
  elasticWaitMs: 120_000,
  restartDelay: { firstMs: 10_000, mostMs: 300_000 },
  gpu: false,
  backoffLimit: 3,
  progressDeadlineMs: 600_000,
  claim: 'runs',
  searchScratch: false,
  suspend: false,
  queued: false,
  fencingMs: 60_000,
  registers: true,
};

export const RESULT = { sha256: 'c'.repeat(64), sizeBytes: 1000 };
export const PASS: Verdict = {
  verdict: 'Pass',
  failed: [],
  scores: { ratio: '0.9' },
  published: { storageUri: 's3://models/loadcast/c', sha256: 'c'.repeat(64) },
};

export class SimulatedRun {
  settings: RunSettings;
  state: RunState = NO_RUN;
  nowMs = Date.UTC(2026, 0, 1);
  readonly gangs = new Map<number, Gang>();
  gate: Gang = { pods: [] };
  progress: Progress | undefined;
  readonly log: string[] = [];
  /** The next launch is cut off after its Job was made. */
  cutOff = false;
  deleted = false;
  registered = 0;
  last: Plan | undefined;
  #tokens = new Set<number>();
  #replaced = 0;
  #watchedSinceMs = this.nowMs;

  constructor(settings: Partial<RunSettings> = {}) {
    this.settings = { ...SETTINGS, ...settings };
  }

  get phase(): string {
    return `${this.last?.now.phase} ${this.last?.now.reason}`;
  }

  get current(): Gang | undefined {
    return this.gangs.get(this.state.attempt?.number ?? 0);
  }

  /** One pass of the operator. */
  pass(): Plan {
    const plan = decide(this.observed());
    this.last = plan;
    if (plan.state !== this.state && plan.actions.length > 0)
      throw new Error('a plan that moves may not act');
    this.state = plan.state;
    for (const event of plan.events) this.log.push(event.reason);
    for (const action of plan.actions) this.#do(action);
    return plan;
  }

  /** Passes until nothing changes; nothing else happens in between. */
  settle(): this {
    for (let i = 0; i < 30; i += 1) {
      const before = this.picture();
      this.pass();
      if (this.picture() === before) return this;
    }
    throw new Error(`no rest: ${this.phase}`);
  }

  picture(): string {
    return JSON.stringify([this.state, [...this.gangs], this.gate, this.deleted, this.registered]);
  }

  observed(): Observed {
    const number = this.state.attempt?.number ?? 0;
    return {
      settings: this.settings,
      state: this.state,
      attempts: [...this.gangs].map(([each, { job, pods }]) => ({
        number: each,
        job,
        pods: pods.map(seen),
      })),
      gate: { job: this.gate.job, pods: this.gate.pods.map((pod) => ({ ...seen(pod), index: undefined })) },
      strangers: [],
      said: this.progress === undefined ? {} : { progress: this.progress },
      lastReason: this.last?.now.reason,
      watchedSinceMs: this.#watchedSinceMs,
      holdsToken: this.#tokens.has(number),
      nowMs: this.nowMs,
    };
  }

  /** Gangs of which something still runs. */
  live(): number[] {
    return [...this.gangs].flatMap(([number, { pods }]) =>
      pods.some(({ state }) => state === 'Running') ? [number] : [],
    );
  }

  // What happens to it.

  /** A new process: it has heard nothing and holds no token. */
  restart(): this {
    this.#tokens.clear();
    this.progress = undefined;
    this.#watchedSinceMs = this.nowMs;
    return this;
  }

  after(ms: number): this {
    this.nowMs += ms;
    this.#kubelets();
    return this;
  }

  /** The scheduler finds room for so many pods of the current gang, and they start. */
  start(count = this.settings.nodes, words?: string): this {
    for (const pod of this.current?.pods ?? []) {
      if (pod.state !== 'Pending' || pod.goneByMs !== undefined) continue;
      if (pod.index < count) {
        pod.scheduledAtMs = this.nowMs;
        delete pod.unschedulableSinceMs;
        delete pod.unschedulable;
        pod.state = 'Running';
      } else {
        pod.unschedulableSinceMs ??= this.nowMs;
        if (words !== undefined) pod.unschedulable = words;
      }
    }
    return this;
  }

  letGo(): this {
    const gang = this.current;
    if (gang?.job?.suspended === true && gang.job.launched) this.#release(gang);
    return this;
  }

  step(step: number): this {
    this.progress = { step, total: 100, atMs: this.nowMs };
    return this;
  }

  /** A pod's container ends with this code, and the Job with it. */
  exit(index: number, code: number, told: Told = {}): this {
    const gang = this.current;
    const pod = gang?.pods.find((each) => each.index === index && each.state === 'Running');
    if (gang?.job === undefined || pod === undefined) return this;
    Object.assign(pod, { state: 'Done', code, told, endedAtMs: this.nowMs });
    this.#jobController(gang);
    return this;
  }

  evict(index: number): this {
    const gang = this.current;
    const pod = gang?.pods.find((each) => each.index === index && each.state !== 'Done');
    if (gang === undefined || pod === undefined) return this;
    pod.disrupted = 'evicted';
    this.#remove(gang, [pod]);
    this.#lost(gang);
    return this;
  }

  nodeDies(index: number): this {
    const pod = this.current?.pods.find((each) => each.index === index && each.state === 'Running');
    if (pod !== undefined) pod.dead = true;
    return this;
  }

  trained(told: Told = { result: RESULT }): this {
    const { pods: all = [], alone = false } = this.current ?? {};
    // Of those that search each ends by itself.
    const pods = alone ? all.filter(({ state, dead }) => state === 'Running' && dead !== true) : all;
    if (pods.some(({ state, dead }) => state !== 'Running' || dead)) return this;
    for (const { index } of pods) this.exit(index, 0, index === pods[0]?.index ? told : {});
    return this;
  }

  judged(gate: Verdict = PASS): this {
    return this.gateEnds(0, { gate });
  }

  /** The gate's container ends with this code, and its Job with it. */
  gateEnds(code: number, told: Told = {}): this {
    const { job, pods } = this.gate;
    const [pod] = pods;
    if (job === undefined || job.done !== undefined || pod === undefined) return this;
    Object.assign(pod, { state: 'Done', code, told });
    Object.assign(job, { done: code === 0 ? 'Complete' : 'Failed', doneAtMs: this.nowMs });
    return this;
  }

  /** Somebody else does; it goes at once. */
  deleteGate(): this {
    this.gate = { pods: [] };
    return this;
  }

  deleteJob(): this {
    if (this.current?.job !== undefined) this.#delete(this.current);
    return this;
  }

  suspend(suspend: boolean): this {
    this.settings = { ...this.settings, suspend };
    return this;
  }

  // What the cluster does.

  #do(action: Action): void {
    this.log.push(action.kind);
    switch (action.kind) {
      case 'launch':
        this.#launch(action.attempt);
        break;
      case 'deleteAttempt':
        this.#delete(this.gangs.get(action.number));
        break;
      case 'deletePod':
        for (const gang of this.gangs.values()) {
          const named = gang.pods.filter(({ name }) => name === action.name);
          if (action.graceMs > 0) this.#remove(gang, named, action.graceMs);
          else gang.pods = gang.pods.filter((pod) => !named.includes(pod));
        }
        this.#kubelets();
        break;
      case 'startGate':
        if (this.gate.job !== undefined || this.gate.pods.length > 0) throw new Error('a gate beside a gate');
        this.gate = {
          job: { deleting: false, launched: true, suspended: false },
          pods: [{ name: 'gate', index: 0, state: 'Running', told: {} }],
        };
        break;
      case 'deleteGate':
        this.deleteGate();
        break;
      case 'register': {
        this.registered += 1;
        const { published } = action;
        const produced = {
          registry: 'loadcast',
          version: 1,
          alias: 'candidate',
          ...published,
          atMs: this.nowMs,
        };
        this.state = { ...this.state, produced };
        break;
      }
      case 'deleteRun':
        this.deleted = true;
        break;
    }
  }

  #launch({ number, nodes, searches }: Attempt): void {
    const gang = this.gangs.get(number) ?? {
      pods: [],
      job: { deleting: false, launched: false, suspended: true },
      alone: searches === true,
    };
    this.gangs.set(number, gang);
    if (this.cutOff) {
      this.cutOff = false;
      this.restart();
      return;
    }
    this.#tokens.add(number);
    if (gang.job === undefined) throw new Error('launched without a Job');
    gang.job.launched = true;
    if (!this.settings.queued) this.#release(gang, nodes);
  }

  #release(gang: Gang, nodes = this.state.attempt?.nodes ?? 1): void {
    gang.job = { deleting: false, launched: true, suspended: false };
    const number = [...this.gangs].find(([, each]) => each === gang)?.[0];
    gang.size = nodes;
    gang.pods = Array.from({ length: nodes }, (_, index) => ({
      name: `run-${number}-${index}`,
      index,
      state: 'Pending',
      told: {},
    }));
  }

  #delete(gang: Gang | undefined): void {
    if (gang?.job === undefined) return;
    gang.job.deleting = true;
    this.#remove(gang, gang.pods);
    this.#kubelets();
  }

  /** A later deletion may shorten the time that an earlier one has given. */
  #remove(gang: Gang, pods: readonly Pod[], graceMs = GRACE_MS): void {
    for (const pod of pods)
      if (pod.state === 'Running') pod.goneByMs = Math.min(pod.goneByMs ?? Infinity, this.nowMs + graceMs);
      else gang.pods = gang.pods.filter((each) => each !== pod);
  }

  #jobController(gang: Gang): void {
    const { job, pods } = gang;
    if (job === undefined || job.done !== undefined || job.suspended) return;
    const fails = (code: number | undefined) =>
      code !== undefined && (gang.alone === true ? code === 78 : code !== 0);
    if (pods.some(({ code }) => fails(code))) {
      Object.assign(job, { done: 'Failed', doneAtMs: this.nowMs });
      this.#remove(
        gang,
        pods.filter(({ state }) => state !== 'Done'),
      );
    } else if (new Set(pods.filter(({ code }) => code === 0).map(({ index }) => index)).size === gang.size)
      Object.assign(job, { done: 'Complete', doneAtMs: this.nowMs });
  }

  /** A pod that is gone has failed. */
  #lost(gang: Gang): void {
    const { job, pods } = gang;
    if (job?.done !== undefined || job?.suspended !== false || job.deleting) return;
    if (gang.alone === true) return this.#replace(gang);
    if (pods.length === gang.size) return;
    Object.assign(job, { done: 'Failed', doneAtMs: this.nowMs });
    this.#remove(gang, pods);
  }

  /** One pod for each index that has neither a live one nor one that ended well. */
  #replace(gang: Gang): void {
    for (let index = 0; index < (gang.size ?? 0); index += 1) {
      const own = gang.pods.filter((pod) => pod.index === index);
      if (own.some(({ state, code }) => state !== 'Done' || code === 0)) continue;
      const last = Math.max(0, ...own.map(({ endedAtMs = 0 }) => endedAtMs));
      if (last + REPLACED_AFTER_MS > this.nowMs) continue;
      this.#replaced += 1;
      gang.pods.push({ name: `again-${this.#replaced}-${index}`, index, state: 'Pending', told: {} });
    }
  }

  /** Those that were told to go are gone when their time is over, where somebody still listens. */
  #kubelets(): void {
    for (const [number, gang] of this.gangs) {
      gang.pods = gang.pods.filter(
        ({ goneByMs, dead }) => goneByMs === undefined || dead === true || goneByMs > this.nowMs,
      );
      const { job } = gang;
      if (job?.deleting === true && gang.pods.length === 0) this.gangs.delete(number);
      this.#lost(gang);
    }
  }
}

function seen({ state, code, dead: _, ...pod }: Pod): SeenPod {
  return {
    ...pod,
    done: state === 'Done',
    running: state === 'Running',
    exit: code === undefined ? undefined : { code },
  };
}
