/** What goes wrong on the way of a new version: whatever it is, stable serves and no caller notices. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../eventually.ts';
import { killContainers } from '../containers.ts';
import { runningOperators } from '../installed-operator.ts';
import { modelFile, serveModel } from '../served-model.ts';
import type { NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';

const HALF = { steps: [{ setWeight: 50 }, { pause: {} }] };

export const ROLLOUT_FAULTS: readonly Story<NodeStage>[] = [
  {
    name: 'rollout: a canary whose server crashes again and again goes back, and stable is not touched',
    async run(stage, signal) {
      await using model = await serveModel(stage, 'crashing', { rollout: HALF }, signal);
      const stable = await model.containers(1, 'server');
      await model.ask(2);
      await model.trafficBecomes('1:50 2:50');
      const killed = new Set<string>();
      const { history = [] } = await eventually(
        'the canary goes back',
        async () => {
          const fresh = (await model.containers(2, 'server')).filter(({ id }) => !killed.has(id));
          for (const { id } of fresh) killed.add(id);
          // One that has just ended by itself cannot be killed.
          await killContainers(stage.cluster, fresh).catch(() => undefined);
          const status = await model.stage.status(model.name);
          return status.canary === undefined ? status : undefined;
        },
        180_000,
        signal,
      );
      assert.deepEqual(
        history.map(({ outcome, reason }) => [outcome, reason]),
        [
          ['Serving', undefined],
          ['Aborted', 'CrashLooping'],
        ],
      );
      await model.trafficBecomes('1:100');
      assert.deepEqual(await model.containers(1, 'server'), stable);
      return `${killed.size} crashes; ${await model.nothingFailed()}`;
    },
  },
  {
    name: 'rollout: the operator is killed between the weights and the pods, upwards and downwards',
    async run(stage, signal) {
      const { cluster } = stage;
      await using model = await serveModel(stage, 'orphan', { rollout: HALF }, signal);
      let doomed = await runningOperators(cluster);
      await model.ask(2);
      await eventually(
        'its pods are ordered',
        async () => (await model.stage.ordered(model.name)) === '1x2 2x1',
      );
      await killContainers(cluster, doomed);
      assert.equal(await model.stage.traffic(model.name), '1:100', 'killed before the weight was written');
      await model.trafficBecomes('1:50 2:50');

      doomed = await runningOperators(cluster);
      await model.stage.rollout('abort', model.name);
      await model.trafficBecomes('1:100');
      await killContainers(cluster, doomed);
      assert.equal(await model.stage.ordered(model.name), '1x2 2x1', 'killed before the pods were taken');
      await eventually(
        'the next one takes them',
        async () => (await model.stage.ordered(model.name)) === '1x2',
        120_000,
        signal,
      );
      const { history = [] } = await model.stage.status(model.name);
      assert.deepEqual(
        history.map(({ outcome }) => outcome),
        ['Serving', 'Aborted'],
      );
      return await model.nothingFailed();
    },
  },
  {
    name: 'rollout: the artifact store is down: no weight without the file, and on when it is back',
    async run(stage, signal) {
      await using model = await serveModel(stage, 'cut-off', {}, signal);
      await model.store.stop();
      await model.ask(2);
      const why = await reasonShown(/ARTIFACT_UNREACHABLE/);
      assert.equal(await model.stage.traffic(model.name), '1:100');
      await model.store.start();
      await model.trafficBecomes('2:100', 180_000);
      return `said “${why}”; ${await model.nothingFailed()}`;

      function reasonShown(pattern: RegExp): Promise<string> {
        return eventually(
          'the status says why',
          async () => {
            const status = await model.stage.status(model.name);
            const { message = '' } = status.conditions?.find(({ type }) => type === 'Progressing') ?? {};
            if (!pattern.test(message)) throw new Error(message);
            return message;
          },
          120_000,
          signal,
        );
      }
    },
  },
  {
    name: 'rollout: the file changes between two pulls: the second pod refuses it, and the version goes back',
    async run(stage, signal) {
      const rollout = { ...HALF, progressDeadline: '45s' };
      await using model = await serveModel(stage, 'changed', { rollout }, signal);
      await model.ask(2);
      await model.trafficBecomes('1:50 2:50');
      // Behind the same address, of the same size, another file: the pods to come would serve it unseen.
      await model.store.put('changed-2.onnx', modelFile(99));
      await model.stage.rollout('promote', model.name, '--full');
      const said = await eventually(
        'the status says why',
        async () => {
          const status = await model.stage.status(model.name);
          const { message = '' } = status.conditions?.find(({ type }) => type === 'Progressing') ?? {};
          if (!/sha256/.test(message)) throw new Error(message);
          return message;
        },
        60_000,
        signal,
      );
      await model.stage.becomes(model.name, 'it goes back', ({ canary }) => canary === undefined, 120_000);
      await model.trafficBecomes('1:100');
      const { history = [] } = await model.stage.status(model.name);
      assert.deepEqual(
        history.map(({ outcome, reason }) => [outcome, reason]),
        [
          ['Serving', undefined],
          ['Aborted', 'ProgressDeadlineExceeded'],
        ],
      );
      await sleep(1_000, undefined, { signal });
      return `said “${said}”; ${await model.nothingFailed()}`;
    },
  },
];
