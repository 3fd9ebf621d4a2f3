/** A namespace with a claim in which stories train: TrainingJobs, their pods, and the folders that they leave. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainingJob, TrainingJobStatus } from '../../operator/api/index.ts';
import { INDEX_KEY, registryName } from '../../operator/registry/model-index.ts';
import { request } from '../api.ts';
import type { ClusterFacts } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { foresail } from '../foresail.ts';
import { type Container, containersOf } from './containers.ts';
import { installOperator } from './installed-operator.ts';
import { apply, makeNamespace, type NodeStage } from './stage.ts';
import { type Claim, installTrainer, makeClaim, RUNTIME, TRAINING_NAMESPACE } from './trainer.ts';

export const REGISTRY = 'learnt';
export const CLAIM = 'runs';
/** On the claim. */
const DATA = 'loads.csv';
const LIMIT_MS = 400_000;

/** Steps that take a while, so that there is a middle for something to happen in. */
export const SLOW = {
  model: {
    family: 'linear',
    hyperparameters: { steps: 900, batch: 512, validate_every: 300, validation_windows: 200, warmup: 10 },
  },
};

export interface Step {
  readonly step: number;
  readonly loss: number;
  readonly attempt: number;
}

export class TrainingGround implements AsyncDisposable {
  readonly cluster: ClusterFacts;
  readonly #claim: Claim;
  readonly #signal: AbortSignal;

  constructor(cluster: ClusterFacts, claim: Claim, signal: AbortSignal) {
    this.cluster = cluster;
    this.#claim = claim;
    this.#signal = signal;
  }

  /** Two workers on CPU that learn for some seconds, unless `spec` says otherwise. */
  async train(name: string, spec: object = {}): Promise<void> {
    await apply(this.cluster, {
      apiVersion: 'foresail.io/v1alpha1',
      kind: 'TrainingJob',
      metadata: { namespace: TRAINING_NAMESPACE, name },
      spec: {
        runtimeRef: { name: RUNTIME },
        data: { storageUri: `pvc://${CLAIM}/${DATA}` },
        model: {
          family: 'linear',
          hyperparameters: { steps: 200, batch: 64, validate_every: 50, validation_windows: 200, warmup: 10 },
        },
        workers: { nodes: 2, accelerator: 'cpu' },
        checkpoint: { claimName: CLAIM, every: '10s' },
        gate: { minImprovement: '0' },
        output: { registry: REGISTRY },
        ...spec,
      },
    });
  }

  /** A merge patch of the spec. */
  async change(name: string, spec: object): Promise<void> {
    await request(this.cluster, 'PATCH', jobPath(name), { spec });
  }

  async status(name: string): Promise<TrainingJobStatus> {
    return (await this.#get(name)).status ?? {};
  }

  /** A run that has failed is waited for no longer. */
  async becomes(
    name: string,
    what: string,
    check: (status: TrainingJobStatus) => boolean,
  ): Promise<TrainingJobStatus> {
    const seen = await eventually(
      `${name}: ${what}`,
      async () => {
        const status = await this.status(name);
        if (status.phase !== 'Failed' && !check(status)) throw new Error(JSON.stringify(status));
        return status;
      },
      LIMIT_MS,
      this.#signal,
    );
    assert.ok(check(seen), `${name}: ${what}: ${JSON.stringify(seen)}`);
    return seen;
  }

  /** It is over, in whichever way. */
  async over(name: string): Promise<TrainingJobStatus> {
    return await eventually(
      `${name}: its end`,
      async () => {
        const status = await this.status(name);
        if (status.phase !== 'Complete' && status.phase !== 'Failed') throw new Error(JSON.stringify(status));
        return status;
      },
      LIMIT_MS,
      this.#signal,
    );
  }

  /** Its model is made, whatever the gate will say of it. */
  async trained(name: string): Promise<TrainingJobStatus> {
    return await this.becomes(name, 'it has learned', ({ candidate }) => candidate !== undefined);
  }

  /** When it has made more steps than so many in its newest attempt. */
  async steps(name: string, attempt: number, more = 0): Promise<readonly Step[]> {
    return await eventually(
      `${name}: attempt ${attempt} makes steps`,
      async () => {
        const all = await this.stepLog(name);
        if (all.filter((step) => step.attempt === attempt).length <= more)
          throw new Error(`${all.length} lines, ${JSON.stringify(await this.status(name))}`);
        return all;
      },
      LIMIT_MS,
      this.#signal,
    );
  }

  async stepLog(name: string): Promise<readonly Step[]> {
    const text = await readFile(join(await this.folder(name), 'steps.jsonl'), 'utf8').catch(() => '');
    return text.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line) as Step];
      } catch {
        return []; // one that is being written, or was when its process was killed
      }
    });
  }

  /** Steps of its checkpoints, the newest first, whole or not. */
  async checkpoints(name: string): Promise<readonly number[]> {
    const found = await readdir(join(await this.folder(name), 'checkpoints')).catch(() => []);
    const steps = found.flatMap((entry) => /^step-(\d+)$/.exec(entry)?.[1] ?? []);
    return steps.map(Number).toSorted((a, b) => b - a);
  }

  /** As soon as it has so many of them that were made at step `from` or later. */
  async checkpointed(name: string, count: number, from = 0): Promise<readonly number[]> {
    return await eventually(
      `${name}: ${count} checkpoints from step ${from} on`,
      async () => {
        const steps = (await this.checkpoints(name)).filter((step) => step >= from);
        if (steps.length < count) throw new Error(JSON.stringify(await this.status(name)));
        return steps;
      },
      LIMIT_MS,
      this.#signal,
    );
  }

  /** The claim, as this machine reaches it. */
  get volume(): string {
    return this.#claim.folder;
  }

  /** `foresail train VERB NAME`, as a person types it; answers with what it prints. */
  async foresail(verb: string, name: string): Promise<string> {
    return await foresail(this.cluster, 'train', verb, name, '-n', TRAINING_NAMESPACE);
  }

  /** The folder of the run, as it is on this machine. */
  async folder(name: string): Promise<string> {
    const { uid = '' } = (await this.#get(name)).metadata;
    return join(this.#claim.folder, 'foresail', `${name}-${uid.slice(0, 8)}`);
  }

  /** The running containers of an attempt, by the index of their pod. */
  async workers(name: string, attempt: number): Promise<readonly Container[]> {
    const selector = `foresail.io/training-job=${name},foresail.io/training-attempt=${attempt}`;
    const found = await containersOf(this.cluster, TRAINING_NAMESPACE, selector, 'trainer');
    return found.toSorted((a, b) => a.pod.localeCompare(b.pod));
  }

  /** The numbers of all versions of the registry that runs write to. */
  async versions(): Promise<readonly number[]> {
    const path = `/api/v1/namespaces/${TRAINING_NAMESPACE}/configmaps/${registryName(REGISTRY)}`;
    const { data } = await request<{ data: Record<string, string> }>(this.cluster, 'GET', path);
    const { versions } = JSON.parse(data[INDEX_KEY] ?? '{}') as { versions: { version: number }[] };
    return versions.map(({ version }) => version);
  }

  async delete(name: string): Promise<void> {
    await request(this.cluster, 'DELETE', jobPath(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const path = `/api/v1/namespaces/${TRAINING_NAMESPACE}`;
    await request(this.cluster, 'DELETE', path);
    const gone = async () => {
      const found = await request(this.cluster, 'GET', path).catch(() => undefined);
      if (found !== undefined) throw new Error('it is still there');
      return true as const;
    };
    await eventually('the namespace goes', gone, 180_000).catch(() => undefined);
    await request(this.cluster, 'DELETE', `/api/v1/persistentvolumes/${this.#claim.volume}`).catch(
      () => undefined,
    );
    await this.#claim[Symbol.asyncDispose]();
  }

  #get(name: string): Promise<TrainingJob> {
    return request(this.cluster, 'GET', jobPath(name));
  }
}

export const jobPath = (name: string) =>
  `/apis/foresail.io/v1alpha1/namespaces/${TRAINING_NAMESPACE}/trainingjobs/${name}`;

export interface Undisturbed {
  /** Of the model's file. */
  readonly digest: string | undefined;
  readonly steps: readonly Step[];
  /** What its own report says that its loop took. */
  readonly seconds: number;
}

const undisturbed = new WeakMap<NodeStage, Undisturbed>();

/** What a run of `SLOW` is that nothing happens to: trained once per stage, which is no story of its own. */
export async function leftAlone(stage: NodeStage, ground: TrainingGround): Promise<Undisturbed> {
  const known = undisturbed.get(stage);
  if (known !== undefined) return known;
  await ground.train('calm', SLOW);
  const { candidate } = await ground.trained('calm');
  const report = await readFile(join(await ground.folder('calm'), 'out/training.json'), 'utf8');
  const { wall_s: seconds } = JSON.parse(report) as { wall_s: number };
  const made = { digest: candidate?.digest, steps: await ground.stepLog('calm'), seconds };
  undisturbed.set(stage, made);
  return made;
}

/**
 * The operator installed, the trainer at hand, twenty days of three loads on the claim.
 *
 * @param mebibytes room on the claim; absent: what this machine has
 */
export async function openTrainingGround(
  stage: NodeStage,
  signal: AbortSignal,
  mebibytes?: number,
): Promise<TrainingGround> {
  await installOperator(stage);
  await installTrainer(stage, signal);
  await makeNamespace(stage.cluster, TRAINING_NAMESPACE);
  const claim = await makeClaim(stage.cluster, TRAINING_NAMESPACE, CLAIM, mebibytes);
  await writeFile(join(claim.folder, DATA), loads());
  return new TrainingGround(stage.cluster, claim, signal);
}

/** The same for all stories of a process, so that their models can be compared. */
const DATA_END = Math.floor(Date.now() / 600_000) * 600;

/** A wave a day with its own phase, faster ones, and noise, without which the gate would smell a leak. */
function loads(): string {
  const rows = ['series,t,v'];
  for (const series of [1, 2, 3])
    for (let at = DATA_END - 20 * 86_400; at < DATA_END; at += 600) {
      const day = Math.sin((2 * Math.PI * at) / 86_400 + series);
      const waves = Math.sin(at * 0.731 * series) + Math.sin(at * 1.913 + series);
      const load = 100 * series + 40 * day + 6 * waves + 6 * noise(at + series);
      rows.push(`load-${series},${at},${load.toFixed(3)}`);
    }
  return `${rows.join('\n')}\n`;
}

/** In (-1, 1), the same for the same seed. */
function noise(seed: number): number {
  return (Math.sin(seed * 12.9898) * 43_758.5453) % 1;
}
