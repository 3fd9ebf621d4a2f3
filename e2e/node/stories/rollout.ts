/** A new model version comes into service while callers call: by weights, by a person's word, and back again. */
import assert from 'node:assert/strict';
import { NAMESPACE } from '../../chart/helm.ts';
import { kubectl } from '../../kubectl.ts';
import { SHOP } from '../../stories/model-stage.ts';
import { rolled, serveModel } from '../served-model.ts';
import { splitByWeights } from '../split.ts';
import type { NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';

export const ROLLOUT: readonly Story<NodeStage>[] = [
  {
    name: 'rollout: a good version is promoted by weights, a pause and a person’s word, and undone',
    async run(stage, signal) {
      const steps = [{ setWeight: 20 }, { pause: {} }, { setWeight: 50 }, { pause: { duration: '30s' } }];
      await using model = await serveModel(stage, 'good', { rollout: { steps } }, signal);
      await model.ask(2);
      const { fifth, half } = await splitByWeights(model);
      const begun = performance.now();
      await model.stage.rollout('undo', model.name);
      await model.trafficBecomes('1:100');
      const undone = (performance.now() - begun) / 1_000;
      assert.deepEqual(Object.keys(await model.observe(5)), ['1']);
      return `${fifth} and ${half} of 100; undone in ${undone.toFixed(1)} s; ${await model.nothingFailed()}`;
    },
  },
  {
    name: 'rollout: pods of both versions and the routers themselves are replaced under traffic',
    async run(stage, signal) {
      const { cluster } = stage;
      const steps = [{ setWeight: 50 }, { pause: {} }];
      await using model = await serveModel(stage, 'rolling', { rollout: { steps } }, signal);
      await model.ask(2);
      await model.trafficBecomes('1:50 2:50');
      const before = await podsOf();
      await model.change({ server: { resources: { requests: { cpu: '60m', memory: '256Mi' } } } });
      await model.stage.becomes(
        model.name,
        'the change is seen',
        ({ observedGeneration = 0 }) => observedGeneration >= 3,
      );
      for (const version of [1, 2]) await rolled(cluster, SHOP, `${model.name}-v${version}`);
      await kubectl(cluster, ['rollout', 'restart', 'deployment/foresail-router', '--namespace', NAMESPACE]);
      await rolled(cluster, NAMESPACE, 'foresail-router');
      await model.observe(10);
      const after = await podsOf();
      assert.deepEqual(
        after.filter((pod) => before.includes(pod)),
        [],
      );
      return `${before.length} pods and the routers replaced; ${await model.nothingFailed()}`;

      async function podsOf(): Promise<string[]> {
        const found = await Promise.all([1, 2].map((version) => model.containers(version, 'server')));
        return found.flat().map(({ pod }) => pod);
      }
    },
  },
];
