/** A new version of a generic model is judged by what its pods count and by what a Prometheus server says. */
import assert from 'node:assert/strict';
import { addModel } from '../../../operator/server/core/testing/models.ts';
import { type ServedModel, serveModel } from '../served-model.ts';
import type { NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';

const SHADOW = [{ shadow: { percent: 100 } }, { analysis: {} }];
/** Requests of each version that are compared before a promotion; what is slow beside busy neighbours is nobody's fault. */
const judge = (...guards: readonly object[]) => ({ minLabels: 200, guards: [{ type: 'Errors' }, ...guards] });

export const ROLLOUT_JUDGED: readonly Story<NodeStage>[] = [
  {
    name: 'rollout: a good version is promoted by the judge, from the shadow, with nobody’s word',
    async run(stage, signal) {
      const rollout = { steps: SHADOW, judge: judge({ type: 'NaN' }) };
      await using model = await serveModel(stage, 'judged', { task: 'generic', rollout }, signal);
      const begun = performance.now();
      await model.ask(2);
      await model.trafficBecomes('2:100', 240_000);
      const seconds = (performance.now() - begun) / 1_000;
      assert.deepEqual(Object.keys(await model.observe(5)), ['2']);
      return `after ${seconds.toFixed(0)} s; ${await model.nothingFailed()}`;
    },
  },
  {
    name: 'rollout: a worse version is rolled back in the shadow, having touched nothing',
    async run(stage, signal) {
      const rollout = { steps: [...SHADOW, { setWeight: 50 }], judge: judge() };
      await using model = await serveModel(stage, 'worse', { task: 'generic', rollout }, signal);
      const pods = await model.containers(1, 'server');
      // It wants five numbers where the callers send four: what it gets as copies, it refuses.
      await model.ask(2, addModel(2, 5));
      const { history = [] } = await model.stage.becomes(
        model.name,
        'it goes back',
        (status) => status.history?.some(({ outcome }) => outcome === 'Aborted') ?? false,
        300_000,
      );
      assert.deepEqual(
        history.map(({ outcome, reason }) => [outcome, reason]),
        [
          ['Serving', undefined],
          ['Aborted', 'ErrorsGuardBreached'],
        ],
      );
      await model.trafficBecomes('1:100');
      assert.deepEqual(await model.containers(1, 'server'), pods);
      assert.deepEqual(Object.keys(model.answered()), ['1'], 'who ever answered a caller');
      return await model.nothingFailed();
    },
  },
  {
    name: 'rollout: metrics lost in the analysis: nothing is promoted without them, and on when they are back',
    async run(stage, signal) {
      const { cluster } = stage;
      const query = {
        type: 'Prometheus',
        prometheus: {
          serverRef: { name: 'default' },
          query: 'vector(0)',
          max: 1,
          interval: '5s',
          count: 4,
          consecutiveErrorLimit: 1,
        },
      };
      const rollout = { steps: SHADOW, judge: judge(query) };
      await using model = await serveModel(stage, 'blind', { task: 'generic', rollout }, signal);
      await using after = new AsyncDisposableStack();
      // A start of what runs already is refused.
      after.defer(() =>
        cluster
          .process('prometheus')
          .start()
          .catch(() => undefined),
      );
      await model.ask(2);
      await guardIs(model, 'Waiting');
      await cluster.process('prometheus').stop();
      const blind = await guardIs(model, 'Blind');
      // All that the other guard waits for comes in meanwhile.
      await model.observe(45);
      assert.equal(await model.stage.traffic(model.name), '1:100 2:0~100');
      await cluster.process('prometheus').start();
      await model.trafficBecomes('2:100', 300_000);
      return `said “${blind}”; ${await model.nothingFailed()}`;

      async function guardIs(of: ServedModel, outcome: string): Promise<string> {
        const { judge: seen } = await of.stage.becomes(
          of.name,
          `the query’s guard is ${outcome}`,
          (status) =>
            status.judge?.guards?.some((guard) => isQuery(guard) && guard.outcome === outcome) ?? false,
          180_000,
        );
        return seen?.guards?.find(isQuery)?.message ?? '';
      }
    },
  },
];

const isQuery = ({ name }: { readonly name: string }) => name.startsWith('Prometheus');
