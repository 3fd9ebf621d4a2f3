/**
 * What TrainingJobs are told where nothing is trained. Without a word an object that somebody applied, or a run that
 * `foresail train now` made, would stand there with an empty status for ever. It is the operator that says so, as it says
 * everything else, and not an admission policy: switching training off must not break whoever applies a folder of files.
 */
import { API_VERSION, TRAINING_DISABLED, TRAINING_JOB, type TrainingJobStatus } from '../../api/index.ts';
import { isForesailError } from '../../errors.ts';
import {
  createController,
  type Discovery,
  informerSource,
  isNotFound,
  type KubeObject,
  type Reconcile,
  type Runnable,
  type RuntimeObserver,
  type StatusCondition,
  type StatusWriter,
  type Store,
  setCondition,
  type WatchScope,
  watchIn,
} from '../../runtime/index.ts';
import { REF } from './informers.ts';

type Stored = KubeObject & { readonly status?: TrainingJobStatus };

const MESSAGE =
  'training is switched off: training.enabled of the operator’s configuration is false ' +
  '(config.training.enabled in the values of the chart); nothing is started, and nobody watches what runs';
const NO_KIND_MS = 60_000;
const NO_ANSWER_MS = 1_000;

/** The run's memory stays: switched on again, training goes on where it was. Undefined: it is over, and that stays so. */
export function disabledStatus(
  { metadata: { generation }, status = {} }: Stored,
  nowMs: number,
): TrainingJobStatus | undefined {
  if (status.phase === 'Complete' || status.phase === 'Failed') return undefined;
  // Neither a time nor a number of pods that nobody keeps.
  const { nextScheduleTime: _, workers: __, conditions = [], ...memory } = status;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const condition = {
    type: 'Progressing',
    status: 'False',
    reason: TRAINING_DISABLED,
    message: MESSAGE,
    ...observed,
  } as const;
  return {
    ...memory,
    ...observed,
    phase: 'Pending',
    conditions: [...setCondition(conditions as readonly StatusCondition[], condition, nowMs)],
  };
}

export interface SwitchedOffOptions {
  readonly watch: WatchScope & { readonly observer: RuntimeObserver };
  readonly discovery: Pick<Discovery, 'resolve'>;
  /** Fenced. */
  readonly statusWriter: StatusWriter;
}

/**
 * For the leader. It has a cache of its own, which nothing waits for: neither a cluster without the kind nor a missing
 * right may keep an operator that trains nothing from its work.
 */
export function createSwitchedOff({ watch, discovery, statusWriter }: SwitchedOffOptions): Runnable {
  const { clock, log, observer } = watch;
  return {
    name: 'trainingjobs without training',
    async run(signal) {
      await untilKnown(discovery, clock, signal);
      if (signal.aborted) return;
      const objects = watchIn<Stored>(watch, { ref: REF });
      const controller = createController({
        name: 'trainingjob-off',
        reconcile: tell(objects.store, statusWriter, () => clock.now()),
        sources: [informerSource(objects)],
        workers: 1,
        clock,
        logger: log,
        observer,
      });
      await Promise.all([objects.run(signal), controller.run(signal)]);
    },
  };
}

export function tell(
  objects: Pick<Store<Stored>, 'get'>,
  statusWriter: StatusWriter,
  now: () => number,
): Reconcile {
  return async (key, signal) => {
    const object = objects.get(key);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return {};
    const status = disabledStatus(object, now());
    if (status === undefined) return {};
    try {
      await statusWriter.write(REF, object, status, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return {};
  };
}

/** Its CRD may be left out, or come later. */
async function untilKnown(
  discovery: SwitchedOffOptions['discovery'],
  clock: WatchScope['clock'],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted)
    try {
      // oxlint-disable-next-line no-await-in-loop -- asked again until it is there
      await discovery.resolve(API_VERSION, TRAINING_JOB.kind, signal);
      return;
    } catch (error) {
      const waitMs = isForesailError(error, 'KUBE_UNKNOWN_KIND') ? NO_KIND_MS : NO_ANSWER_MS;
      // oxlint-disable-next-line no-await-in-loop
      await clock.sleep(waitMs, signal).catch(() => undefined);
    }
}
