/**
 * Carries out what a schedule and triggers say: makes TrainingJobs as a CronJob makes Jobs, and trains nothing itself.
 */
import { type RunCause, runOf, type TrainingJob, type Triggers, triggersOf } from '../../../api/index.ts';
import type { Clock } from '../../../clock.ts';
import { messageOf } from '../../../errors.ts';
import {
  type Client,
  type EventRecorder,
  isAlreadyExists,
  isNotFound,
  type KubeObject,
  type Result,
  type StatusWriter,
  type Store,
} from '../../../runtime/index.ts';
import { isOwned } from '../../owned-objects.ts';
import { BY_OWNER, REF } from '../informers.ts';
import { eventTarget } from '../status.ts';
import { historyOf } from './history.ts';
import { type MadeRun, planSchedule } from './plan.ts';
import { signOf, type WatchedScaler } from './signs.ts';
import { lastEndOf, madeRun, type StoredRun, scheduleStatus, timeOf } from './status.ts';
import { decidedRun, planTrigger } from './triggers.ts';

export interface Scheduler {
  reconcile(object: TrainingJob, signal: AbortSignal): Promise<Result>;
}

export interface SchedulerOptions {
  /** Runs by the label of whose they are. */
  readonly objects: Pick<Store<KubeObject>, 'byIndex'>;
  /** The PredictiveScalers that a TrainingJob learns from. */
  readonly scalersOf: (object: TrainingJob) => readonly WatchedScaler[];
  /** Fenced. */
  readonly client: Pick<Client, 'create' | 'delete'>;
  readonly statusWriter: StatusWriter;
  readonly events: EventRecorder;
  readonly clock: Clock;
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { objects, scalersOf, client, statusWriter, events, clock } = options;

  function ownedRuns(object: TrainingJob): readonly StoredRun[] {
    const { namespace, name } = object.metadata;
    return (objects.byIndex(BY_OWNER, `${namespace}/${name}`) as readonly StoredRun[])
      .filter((run) => isOwned(run, object))
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  async function remove(
    { namespace }: TrainingJob['metadata'],
    run: StoredRun,
    signal: AbortSignal,
  ): Promise<void> {
    const { name, uid } = run.metadata;
    try {
      await client.delete(REF, { namespace, name }, uid === undefined ? {} : { uid }, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async function create(
    object: TrainingJob,
    name: string,
    cause: RunCause,
    signal: AbortSignal,
  ): Promise<void> {
    const target = eventTarget(object);
    try {
      await client.create(REF, runOf(object, name, cause), signal);
      events.event(target, 'Normal', 'RunCreated', `the run ${name} is made (${cause})`);
    } catch (error) {
      // It was made before the last crash, or the cache is behind.
      if (isAlreadyExists(error)) return;
      if (!signal.aborted)
        events.event(target, 'Warning', 'RunNotCreated', `the run ${name} is not made: ${messageOf(error)}`);
      throw error;
    }
  }

  /** The schedule first: a run that triggers wish waits for it, as it waits for none that is not made yet. */
  function plan(object: TrainingJob, triggers: Triggers, owned: readonly StoredRun[], nowMs: number) {
    const { metadata, spec, status } = object;
    const made = owned.map(madeRun);
    const lastEndMs = lastEndOf(object, made, nowMs);
    const decision = {
      name: metadata.name,
      runs: made,
      lastTriggerMs: timeOf(status?.lastTrigger?.time),
      lastTriggerCause: status?.lastTrigger?.cause,
      lastEndMs,
    };
    const schedule = planSchedule({
      name: metadata.name,
      uid: metadata.uid ?? '',
      triggers,
      suspend: spec.suspend,
      createdAtMs: timeOf(metadata.creationTimestamp) ?? nowMs,
      lastDueMs: timeOf(status?.lastScheduleTime),
      runs: withRun(made, decidedRun(decision)),
      lastEndMs: timeOf(status?.lastEndTime),
      nowMs,
    });
    if (spec.triggers === undefined) return { schedule, trigger: undefined, lastEndMs };
    const scalers = scalersOf(object);
    const trigger = planTrigger({
      ...decision,
      runs: withRun(made, schedule.create),
      coolDown: triggers.coolDown,
      budget: triggers.budget,
      history: historyOf(object, owned, nowMs),
      suspend: spec.suspend,
      watched: scalers.length > 0,
      sign: signOf(scalers, triggers),
      nowMs,
    });
    return { schedule, trigger, lastEndMs };
  }

  return {
    async reconcile(object, signal) {
      const triggers = triggersOf(object.spec);
      if (triggers === undefined) return {};
      const owned = ownedRuns(object);
      const nowMs = clock.now();
      const { schedule, trigger, lastEndMs } = plan(object, triggers, owned, nowMs);
      if (schedule.create !== undefined) await create(object, schedule.create.name, 'Schedule', signal);
      if (trigger?.create !== undefined)
        await create(object, trigger.create.name, trigger.create.cause, signal);
      const gone = owned.filter((run) => schedule.remove.includes(run.metadata.name));
      await Promise.all(gone.map((run) => remove(object.metadata, run, signal)));
      const runs = owned.filter((run) => !gone.includes(run));
      const next = scheduleStatus({ object, schedule, trigger, runs, lastEndMs, nowMs });
      await statusWriter.write(REF, object as KubeObject & { status?: object }, next, signal);
      const { leftOut } = schedule;
      if (leftOut !== undefined)
        events.event(eventTarget(object), 'Warning', leftOut.reason, leftOut.message);
      const spent = trigger?.decided?.spent;
      if (spent !== undefined) events.event(eventTarget(object), 'Warning', 'BudgetSpent', spent);
      const waits = [schedule.requeueAfterMs, trigger?.requeueAfterMs].filter((ms) => ms !== undefined);
      return waits.length === 0 ? {} : { requeueAfterMs: Math.min(...waits) };
    },
  };
}

function withRun(
  runs: readonly MadeRun[],
  further: { readonly name: string; readonly dueMs: number } | undefined,
): readonly MadeRun[] {
  return further === undefined ? runs : [...runs, { ...further, succeeded: false }];
}
