/**
 * A cluster as far as a rollout sees it: plans are carried out as the controller does, pods get ready when the test
 * says so, time moves when the test says so.
 */
import { planRollout } from '../plan.ts';
import {
  type Judgement,
  type ModelSource,
  NO_ROLLOUT,
  type Pods,
  type RolloutEvent,
  type RolloutPlan,
  type RolloutSettings,
  type RolloutState,
} from '../types.ts';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;

export const SETTINGS: RolloutSettings = {
  replicas: 4,
  steps: [],
  paused: false,
  judge: { maxDurationMs: 60 * MINUTE, onInconclusive: 'Hold', onNoData: 'Hold' },
  progressDeadlineMs: 10 * MINUTE,
  watchMs: 60 * MINUTE,
  drainMs: 30 * SECOND,
  historyLimit: 10,
};

export function source(name: string): ModelSource {
  return { storageUri: `s3://models/${name}`, digest: name.padEnd(64, '0') };
}

export class World {
  settings: RolloutSettings;
  wanted: ModelSource | undefined = source('a');
  judge: 'none' | Judgement | undefined = undefined;
  nowMs = Date.UTC(2026, 0, 1);
  state: RolloutState = NO_ROLLOUT;
  pods = new Map<number, Pods>();
  /** Versions whose pods do not get ready. */
  readonly broken = new Set<number>();
  readonly events: RolloutEvent[] = [];
  plan: RolloutPlan | undefined;

  constructor(settings: Partial<RolloutSettings> = {}) {
    this.settings = { ...SETTINGS, ...settings };
  }

  /** One pass: plan, act, publish. */
  pass(): RolloutPlan {
    const { settings, wanted, judge, nowMs, state, pods } = this;
    const plan = planRollout({ settings, wanted, judge, nowMs, state, pods });
    for (const version of pods.keys())
      if (!plan.versions.some((each) => each.version === version)) pods.delete(version);
    for (const { version, replicas } of plan.versions) {
      const before = pods.get(version) ?? { ready: 0, available: 0 };
      pods.set(version, {
        ...before,
        replicas,
        ready: Math.min(before.ready, replicas),
        available: Math.min(before.available, replicas),
      });
    }
    this.state = plan.state;
    this.plan = plan;
    this.events.push(...plan.events);
    return plan;
  }

  /** Every pod that can get ready does. */
  startPods(): void {
    for (const [version, { replicas }] of this.pods) {
      const up = this.broken.has(version) ? 0 : replicas;
      this.pods.set(version, { replicas, ready: up, available: up });
    }
  }

  /** Passes until nothing changes any more, with pods that start at once. */
  settle(limit = 30): RolloutPlan {
    for (let i = 0; i < limit; i += 1) {
      const before = JSON.stringify([this.state, [...this.pods]]);
      this.pass();
      this.startPods();
      if (JSON.stringify([this.state, [...this.pods]]) === before && this.plan !== undefined)
        return this.plan;
    }
    throw new Error(`no rest after ${limit} passes: ${JSON.stringify(this.state)}`);
  }

  after(ms: number): RolloutPlan {
    this.nowMs += ms;
    return this.settle();
  }

  change(settings: Partial<RolloutSettings>): void {
    this.settings = { ...this.settings, ...settings };
  }

  /** A judgement of the canary, or of stable while the version before it is watched. */
  says(verdict: Judgement['verdict'], labels = 500): void {
    const { canary, stable, kept } = this.state;
    const candidate = canary?.version ?? stable ?? 0;
    const baseline =
      canary === undefined ? (kept.find((each) => each.for === 'Watch')?.version ?? 0) : (stable ?? 0);
    this.judge = { candidate, baseline, verdict, labels };
  }

  /** `1:90 2:10~100`: weights, and mirrored per cent after a tilde. */
  get traffic(): string {
    return this.state.traffic
      .map(
        ({ version, weight, mirrorPercent }) =>
          `${version}:${weight}${mirrorPercent === 0 ? '' : `~${mirrorPercent}`}`,
      )
      .join(' ');
  }

  /** `1x4 2x1`: pods ordered. */
  get ordered(): string {
    return [...this.pods]
      .sort(([a], [b]) => a - b)
      .map(([version, { replicas }]) => `${version}x${replicas}`)
      .join(' ');
  }

  outcomes(): string {
    return this.state.history.map(({ version, outcome }) => `${version} ${outcome}`).join(', ');
  }
}
