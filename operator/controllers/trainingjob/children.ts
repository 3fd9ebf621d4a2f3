/** Phase "act": does what the plan says, to objects that are this run's own. */
import type { TrainingJob } from '../../api/index.ts';
import { ForesailError } from '../../errors.ts';
import {
  type Client,
  isAlreadyExists,
  isNotFound,
  type KubeObject,
  type ResourceRef,
  type Store,
} from '../../runtime/index.ts';
import { isOwned, notOurs } from '../owned-objects.ts';
import { JOBS, PODS, REF, type WatchedJob } from './informers.ts';
import { type Gate, gateJob } from './objects/gate-job.ts';
import { attemptName, gateName } from './objects/names.ts';
import type { WatchedPod } from './watched-pod.ts';

export interface RunObjects {
  deleteAttempt(run: TrainingJob, number: number, signal: AbortSignal): Promise<void>;
  /** With 0 without its node’s word: only of one that is long past its time. */
  deletePod(run: TrainingJob, name: string, graceMs: number, signal: AbortSignal): Promise<void>;
  startGate(gate: Gate, signal: AbortSignal): Promise<void>;
  deleteGate(run: TrainingJob, signal: AbortSignal): Promise<void>;
  deleteRun(run: TrainingJob, signal: AbortSignal): Promise<void>;
}

export interface RunObjectsOptions {
  /** Fenced. */
  readonly client: Pick<Client, 'create' | 'delete'>;
  readonly jobs: Pick<Store<WatchedJob>, 'get'>;
  readonly pods: Pick<Store<WatchedPod>, 'get'>;
}

export function createRunObjects({ client, jobs, pods }: RunObjectsOptions): RunObjects {
  async function remove(
    ref: ResourceRef,
    object: KubeObject | undefined,
    options: {
      readonly propagationPolicy?: 'Foreground';
      readonly gracePeriodSeconds?: number;
      readonly resourceVersion?: string;
    },
    signal: AbortSignal,
  ): Promise<void> {
    if (object === undefined) return;
    const { uid, name, namespace = '' } = object.metadata;
    try {
      await client.delete(
        ref,
        { namespace, name },
        { ...(uid === undefined ? {} : { uid }), ...options },
        signal,
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** Its pods go first, so a Job that is gone has none. */
  async function deleteJob(run: TrainingJob, name: string, signal: AbortSignal): Promise<void> {
    const job = jobs.get(`${run.metadata.namespace}/${name}`);
    if (job === undefined || !isOwned(job, run)) return;
    await remove(JOBS, job, { propagationPolicy: 'Foreground' }, signal);
  }

  return {
    deleteAttempt: (run, number, signal) => deleteJob(run, attemptName(run.metadata.name, number), signal),
    deleteGate: (run, signal) => deleteJob(run, gateName(run.metadata.name), signal),
    deletePod: ({ metadata }, name, graceMs, signal) =>
      remove(
        PODS,
        pods.get(`${metadata.namespace}/${name}`),
        { gracePeriodSeconds: Math.ceil(graceMs / 1000) },
        signal,
      ),
    async startGate(gate, signal) {
      const wanted = gateJob(gate);
      try {
        await client.create(JOBS, wanted, signal);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        const { name, namespace } = wanted.metadata;
        const known = jobs.get(`${namespace}/${name}`);
        if (known !== undefined && !isOwned(known, gate.run)) throw notOurs(JOBS, wanted);
        throw new ForesailError('CACHE_BEHIND', 'conflict', `the Job ${name} is not in the cache yet`);
      }
    },
    async deleteRun(run, signal) {
      const { uid, resourceVersion, name, namespace } = run.metadata;
      const stored = { metadata: { name, namespace, ...(uid === undefined ? {} : { uid }) } };
      // What was read may be older than a person's wish to keep it.
      const version = resourceVersion === undefined ? {} : { resourceVersion };
      await remove(REF, stored, version, signal);
    },
  };
}
