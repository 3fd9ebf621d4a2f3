/**
 * Starts a gang in an order that no crash can spoil: the Job, suspended and with the digest of a token; the Secret with
 * the token; and then off. Only this process knows the token before the pods do, so a start that another process cut off
 * is given up for the next number; and only what the API server itself says is gone counts as gone.
 */
import { readFile } from 'node:fs/promises';
import { TRAINING_LABELS, type TrainingJob } from '../../api/index.ts';
import { ForesailError, isForesailError } from '../../errors.ts';
import {
  type Client,
  type Discovery,
  isAlreadyExists,
  isNotFound,
  type KubeObject,
  type ResourceRef,
  type Store,
} from '../../runtime/index.ts';
import { type NewToken, newToken } from '../../training/tokens.ts';
import { type Child, notOurs, type OwnedObjects } from '../owned-objects.ts';
import { authoritiesOf } from './authority.ts';
import { JOBS, LAUNCHED, PODS, REF, SECRETS, SERVICES, type WatchedJob } from './informers.ts';
import { gangJob, gangService, tokenSecret } from './objects/gang.ts';
import { attemptName } from './objects/names.ts';
import { POD_GROUP, podGroup, wantsPodGroup } from './objects/pod-group.ts';
import type { Gang } from './objects/worker-pod.ts';

export interface LauncherOptions {
  /** Fenced. */
  readonly client: Pick<Client, 'get' | 'list' | 'create' | 'mergePatch'>;
  readonly owned: OwnedObjects;
  readonly jobs: Pick<Store<WatchedJob>, 'get'>;
  readonly services: Pick<Store<Child>, 'get'>;
  /** Absent: no PodGroups are made. */
  readonly discovery?: Pick<Discovery, 'resolve'> | undefined;
  readonly makeToken?: () => NewToken;
  /** Gives the text of a file. */
  readonly read?: (path: string) => Promise<string>;
}

export interface Launcher {
  /** A start of this attempt that was cut off can go on. */
  holds(uid: string, attempt: number): boolean;
  /**
   * @throws ForesailError CACHE_BEHIND (conflict) when the API server knows more than the cache; CHILD_NOT_OURS
   * (transient) when somebody else’s Job has the name; AUTHORITY_INVALID (terminal)
   */
  launch(gang: Gang, signal: AbortSignal): Promise<void>;
  forget(uid: string): void;
}

interface Held extends NewToken {
  /** Uid of the Job that was made for it. */
  job?: string;
  inGroup: boolean;
  inSecret: boolean;
}

export function createLauncher({
  client,
  owned,
  jobs,
  services,
  discovery,
  makeToken = newToken,
  read = (path) => readFile(path, 'utf8'),
}: LauncherOptions): Launcher {
  const held = new Map<string, Map<number, Held>>();

  async function launch(wanted: Gang, signal: AbortSignal): Promise<void> {
    const { run, attempt, settings } = wanted;
    const { namespace, uid = '' } = run.metadata;
    const name = attemptName(run.metadata.name, attempt.number);
    const tokens = held.get(uid) ?? new Map<number, Held>();
    held.set(uid, tokens);
    // Before anything is made: without them the pods would wait in vain.
    const authorities =
      settings.caFile === undefined ? undefined : await authoritiesOf(settings.caFile, read);
    const groups = wantsPodGroup(wanted) ? await podGroups(signal) : undefined;
    const gang: Gang = { ...wanted, podGroup: groups !== undefined };
    const token = tokens.get(attempt.number) ?? { ...makeToken(), inGroup: false, inSecret: false };
    let job: KubeObject | undefined = jobs.get(`${namespace}/${name}`);
    if (job === undefined) {
      if (token.job !== undefined) {
        // It is not in the cache yet, or somebody has deleted it; the next number will not wonder.
        tokens.delete(attempt.number);
        throw behind(`the Job ${name} is not in the cache`);
      }
      await owned.ensure(SERVICES, services, run, gangService(run), signal);
      await assertAlone(run, signal);
      try {
        job = await client.create<KubeObject>(JOBS, gangJob(gang, token.sha256), signal);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        throw behind(`the Job ${name} exists already`);
      }
      token.job = job.metadata.uid ?? '';
      tokens.set(attempt.number, token);
    } else if (job.metadata.ownerReferences?.some((owner) => owner.uid === uid) !== true) {
      throw notOurs(JOBS, job);
    }
    const make = async (ref: ResourceRef, child: KubeObject): Promise<void> => {
      try {
        await client.create(ref, child, signal);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        // Of a namesake, with which it goes, or our own without an answer: nobody can tell what is in it.
        tokens.delete(attempt.number);
        throw behind(`the ${child.kind} of ${name} exists already`);
      }
    };
    // Before its pods: one without its group is put anywhere alone.
    if (groups !== undefined && !token.inGroup) await make(groups, podGroup(gang, job));
    token.inGroup = groups !== undefined;
    if (!token.inSecret) await make(SECRETS, tokenSecret(job, token.token, authorities));
    token.inSecret = true;
    const queued = run.spec.queueName !== undefined;
    const patch = {
      metadata: { annotations: { [LAUNCHED]: 'true' } },
      ...(queued ? {} : { spec: { suspend: false } }),
    };
    await client.mergePatch(JOBS, { namespace, name }, patch, {}, signal);
  }

  /** What the cluster has to offer, which may change. */
  async function podGroups(signal: AbortSignal): Promise<ResourceRef | undefined> {
    try {
      return (await discovery?.resolve(POD_GROUP.apiVersion, POD_GROUP.kind, signal))?.ref;
    } catch (error) {
      if (isForesailError(error, 'KUBE_UNKNOWN_KIND')) return undefined;
      throw error;
    }
  }

  /** A cache that is behind may not know of a newer attempt, or of a pod that still runs. */
  async function assertAlone({ metadata }: TrainingJob, signal: AbortSignal): Promise<void> {
    const { namespace, name, resourceVersion } = metadata;
    const newest = await client.get(REF, { namespace, name }, signal).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    if (newest?.metadata.resourceVersion !== resourceVersion) throw behind(`${name} has changed`);
    // Those of an attempt, be it of training or of a search; the gate's have no number.
    const labelSelector = `${TRAINING_LABELS.job}=${name},${TRAINING_LABELS.attempt}`;
    const { items } = await client.list<KubeObject>(PODS, { namespace, labelSelector, limit: 1 }, signal);
    if (items.length > 0) throw behind(`${name} has pods that are not gone`);
  }

  return {
    holds: (uid, attempt) => held.get(uid)?.has(attempt) === true,
    launch,
    forget: (uid) => void held.delete(uid),
  };
}

function behind(message: string): ForesailError {
  return new ForesailError('CACHE_BEHIND', 'conflict', message);
}
