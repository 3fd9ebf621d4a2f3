/** TrainingJobs that make runs, with pods that train: a run that goes on is not joined, and a drift starts one. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TrainingRun } from '../../../operator/api/index.ts';
import { INDEX_KEY, parseIndex, registryName } from '../../../operator/registry/model-index.ts';
import { factsOf } from '../../../operator/registry/version-entry.ts';
import { request } from '../../api.ts';
import type { ClusterFacts } from '../../cluster.ts';
import { eventually } from '../../eventually.ts';
import { playDrift } from '../../stories/trainingjob-drift.ts';
import { runShadowedWeb } from '../shadowed-web.ts';
import type { NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';
import { TRAINING_NAMESPACE } from '../trainer.ts';
import { openTrainingGround, REGISTRY, SLOW, type TrainingGround } from '../training-run.ts';

/** It does not end by itself while a story looks at it. */
const ENDLESS = {
  model: { ...SLOW.model, hyperparameters: { ...SLOW.model.hyperparameters, steps: 1_000_000 } },
};
const APP = 'drift-web';

export const TRAINING_TRIGGERS: readonly Story<NodeStage>[] = [
  {
    name: 'training: with Forbid a run that goes on is joined by none, neither of the schedule nor of a person, and both are told',
    async run(stage, signal) {
      await using ground = await openTrainingGround(stage, signal);
      await beforeTheMinute(signal);
      await ground.train('minutely', { ...ENDLESS, schedule: '* * * * *', concurrencyPolicy: 'Forbid' });
      await ground.foresail('now', 'minutely');
      const [first] = await runsOf(ground, 'minutely', 1);
      assert.ok(first !== undefined);
      assert.equal(first.cause, 'Manual');
      await ground.steps(first.name, 1, 5);
      await assert.rejects(ground.foresail('now', 'minutely'), new RegExp(`${first.name} goes on`));
      const told = await eventually(
        'the schedule says why it makes none',
        async () => {
          const selector = encodeURIComponent('involvedObject.name=minutely,reason=RunStillActive');
          const path = `/api/v1/namespaces/${TRAINING_NAMESPACE}/events?fieldSelector=${selector}`;
          const { items } = await request<{ items: { message: string }[] }>(stage.cluster, 'GET', path);
          return items[0]?.message;
        },
        90_000,
        signal,
      );
      assert.match(told, new RegExp(`${first.name} goes on`));
      const { lastScheduleTime } = await ground.status('minutely');
      assert.ok(lastScheduleTime !== undefined, 'it was due');
      assert.deepEqual(await trainedBy(ground), [first.name], 'no other run has pods');
      assert.deepEqual(
        (await runsOf(ground, 'minutely', 1)).map(({ name }) => name),
        [first.name],
      );
      // It is over by a person's word: now there is room for another one.
      const steps = (await ground.steps(first.name, 1)).length;
      await ground.delete(first.name);
      const second = await eventually(
        'another run',
        async () => {
          // The schedule's, or one by hand, whichever comes first.
          await ground.foresail('now', 'minutely').catch(() => undefined);
          const { runs = [] } = await ground.status('minutely');
          return runs.find(({ name }) => name !== first.name);
        },
        90_000,
        signal,
      );
      await ground.steps(second.name, 1);
      return `${first.name} made ${steps} steps meanwhile; said “${told}”`;
    },
  },
  {
    name: 'training: a drift starts a run, which learns the scaler’s history on pods, and its version says why it was made',
    async run(stage, signal) {
      const { cluster } = stage;
      await using ground = await openTrainingGround(stage, signal);
      await runShadowedWeb(cluster, TRAINING_NAMESPACE, APP, signal);
      await ground.train('retrain', { data: { predictiveScalers: {} }, triggers: { drift: true } });
      await eventually(
        'nothing drifts',
        async () => (await triggeredBy(ground, 'retrain')) === 'NoSign',
        60_000,
        signal,
      );
      assert.deepEqual((await ground.status('retrain')).runs ?? [], []);
      await playDrift(cluster, TRAINING_NAMESPACE, APP);
      const [run] = await runsOf(ground, 'retrain', 1);
      assert.ok(run !== undefined);
      assert.equal(run.cause, 'Drift');
      const { candidate } = await ground.trained(run.name);
      assert.ok((candidate?.lineage?.points ?? 0) > 1_000, 'it has learned the history of the load');
      const { producedVersion } = await ground.becomes(
        run.name,
        'it is complete',
        ({ phase }) => phase === 'Complete',
      );
      assert.equal((await tagsOf(cluster, producedVersion?.version))['cause'], 'Drift');
      const { runs = [] } = await ground.status('retrain');
      assert.deepEqual(
        runs.map(({ name }) => name),
        [run.name],
        'one run for one drift',
      );
      return `${candidate?.lineage?.points} points learned, version ${producedVersion?.version} of cause Drift`;
    },
  },
];

async function triggeredBy(ground: TrainingGround, name: string): Promise<string | undefined> {
  const { conditions } = await ground.status(name);
  return conditions?.find(({ type }) => type === 'Triggered')?.reason;
}

/** Of a version of the registry. */
async function tagsOf(
  cluster: ClusterFacts,
  version: number | undefined,
): Promise<Readonly<Record<string, string>>> {
  const path = `/api/v1/namespaces/${TRAINING_NAMESPACE}/configmaps/${registryName(REGISTRY)}`;
  const { data } = await request<{ data: Record<string, string> }>(cluster, 'GET', path);
  const found = parseIndex(data[INDEX_KEY]).versions.find((each) => each.version === version);
  return found === undefined ? {} : factsOf(found).tags;
}

/** So that a person's run is there before the schedule's. */
async function beforeTheMinute(signal: AbortSignal): Promise<void> {
  const left = 60_000 - (Date.now() % 60_000);
  if (left < 20_000) await sleep(left + 1_000, undefined, { signal });
}

function runsOf(ground: TrainingGround, name: string, count: number): Promise<readonly TrainingRun[]> {
  return eventually(
    `${name}: ${count} runs`,
    async () => {
      const status = await ground.status(name);
      if (status.runs?.length !== count) throw new Error(JSON.stringify(status));
      return status.runs;
    },
    90_000,
  );
}

/** Names of the runs that have pods. */
async function trainedBy(ground: TrainingGround): Promise<readonly string[]> {
  const path = `/api/v1/namespaces/${TRAINING_NAMESPACE}/pods?labelSelector=foresail.io%2Ftraining-job`;
  const { items } = await request<{ items: { metadata: { labels: Record<string, string> } }[] }>(
    ground.cluster,
    'GET',
    path,
  );
  return [...new Set(items.map(({ metadata }) => metadata.labels['foresail.io/training-job'] ?? ''))];
}
