/** A rollout under constant calls over gRPC, whose connections outlive a request: none of them may cost one. */
import assert from 'node:assert/strict';
import { NAMESPACE } from '../../chart/helm.ts';
import { kubectl } from '../../kubectl.ts';
import { SHOP } from '../../stories/model-stage.ts';
import { rolled, routerAddress, serveModel } from '../served-model.ts';
import { splitWithin } from '../split.ts';
import type { NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';

const NAME = 'called';

export const ROLLOUT_GRPC: readonly Story<NodeStage>[] = [
  {
    name: 'rollout: over gRPC weights move, the routers are replaced, a version is promoted and undone without a failed call',
    async run(stage, signal) {
      const { cluster } = stage;
      const rollout = { steps: [{ setWeight: 50 }, { pause: {} }] };
      await using model = await serveModel(stage, NAME, { rollout }, signal, async () => {
        const address = await routerAddress(cluster);
        return `grpc://${address}:8081/${NAME}.${SHOP}`;
      });
      await model.ask(2);
      await model.trafficBecomes('1:50 2:50');
      const half = splitWithin(await model.observe(15), 50);
      await kubectl(cluster, ['rollout', 'restart', 'deployment/foresail-router', '--namespace', NAMESPACE]);
      await rolled(cluster, NAMESPACE, 'foresail-router');
      await model.stage.rollout('promote', model.name);
      await model.trafficBecomes('2:100');
      assert.deepEqual(Object.keys(await model.observe(5)), ['2']);
      await model.stage.rollout('undo', model.name);
      await model.trafficBecomes('1:100');
      assert.deepEqual(Object.keys(await model.observe(5)), ['1']);
      return `${half} of 100 at half the weight; ${await model.nothingFailed()}`;
    },
  },
];
