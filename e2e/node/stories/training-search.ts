/** What happens to a search whose workers are killed: one of them, all of them and the operator at once, or one and the database. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from '../../api.ts';
import type { ClusterFacts } from '../../cluster.ts';
import { eventually } from '../../eventually.ts';
import { kubectl } from '../../kubectl.ts';
import { type Container, killContainers, killProcess, killProcesses } from '../containers.ts';
import { runningOperators } from '../installed-operator.ts';
import { Postgres, postgresObstacle } from '../postgres.ts';
import { type EndedTrial, type SearchTrials, searchJournal, searchTables } from '../search-trials.ts';
import type { NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';
import { TRAINING_NAMESPACE } from '../trainer.ts';
import { CLAIM, openTrainingGround, SLOW, type TrainingGround } from '../training-run.ts';

export const TRAINING_SEARCH: readonly Story<NodeStage>[] = [
  {
    name: 'training: a search whose worker is killed starts it again alone, loses no finished trial and repeats none',
    async run(stage, signal) {
      await using ground = await openTrainingGround(stage, signal);
      const [model, trials] = [SLOW.model, 6];
      await ground.train('searched', { model, search: { trials, parallelism: 2 } });
      const folder = await ground.folder('searched');
      const journal = () => searchJournal(folder);
      const { ended: before } = await searchHas(
        journal,
        'two trials have ended',
        ({ ended }) => ended.length >= 2,
        signal,
      );
      const [victim, other] = await ground.workers('searched', 1);
      assert.ok(victim !== undefined && other !== undefined);
      const kept = (await searchers(ground, 'searched')).find(({ name }) => name === other.pod);
      await killContainers(ground.cluster, [victim]);
      const killed = performance.now();
      // The other one works, and another in place of the one that was killed.
      const again = await runningSearchers(ground, 'searched', 2, [victim], signal);
      const seconds = (performance.now() - killed) / 1_000;
      assert.ok(
        again.some(({ uid }) => uid === kept?.uid),
        `${other.pod} goes on as it was: ${JSON.stringify(again)}`,
      );
      const status = await ground.trained('searched');
      // The search was attempt 1 all the time, and training is 2.
      assert.deepEqual([status.restarts, status.attempt?.number], [{ error: 1 }, 2]);
      const { ended } = await journal();
      endedOnce(ended, trials);
      assert.deepEqual(ended.slice(0, before.length), before, 'what had ended stays');
      const { number, score } = status.bestTrial ?? {};
      return `${before.length} of ${trials} trials before the kill, two workers again after ${seconds.toFixed(0)} s; the best is ${number}, with ${score}`;
    },
  },
  {
    name: 'training: a search is killed whole with its operator, and the operator once more: no trial is lost or done twice, and the best one is trained to a version',
    async run(stage, signal) {
      const { cluster } = stage;
      await using ground = await openTrainingGround(stage, signal);
      const [workers, trials] = [3, 9];
      await ground.train('razed', {
        // A trial makes a quarter of the steps.
        model: { ...SLOW.model, hyperparameters: { ...SLOW.model.hyperparameters, steps: 480 } },
        search: { trials, parallelism: workers },
        // Each worker may fail once.
        backoffLimit: workers,
      });
      const folder = await ground.folder('razed');
      const journal = () => searchJournal(folder);
      await searchHas(journal, 'several trials run', severalSearch, signal);
      const doomed = await ground.workers('razed', 1);
      const killAll = await killProcesses([...doomed, ...(await runningOperators(cluster))]);
      await searchHas(journal, 'two trials have ended, and several run', twoEndedAndSeveralRun, signal);
      killAll();
      const killed = performance.now();
      const before = await journal();
      assert.ok(before.running.length > 0, `killed in the middle of trials: ${JSON.stringify(before)}`);

      await runningSearchers(ground, 'razed', workers, doomed, signal);
      const seconds = (performance.now() - killed) / 1_000;
      const killOperators = await killProcesses(await runningOperators(cluster));
      const later = await searchHas(
        journal,
        'one more has ended',
        ({ ended }) => ended.length > before.ended.length,
        signal,
      );
      assert.ok(later.ended.length < trials, 'still in the middle of the search');
      killOperators();

      const { attempt, restarts, bestTrial, producedVersion } = await ground.becomes(
        'razed',
        'it is complete',
        ({ phase }) => phase === 'Complete',
      );
      // The search was attempt 1 all the time, and training is 2.
      assert.deepEqual([restarts, attempt?.number], [{ error: doomed.length }, 2]);
      const { ended, running } = await journal();
      endedOnce(ended, trials);
      assert.deepEqual(running, []);
      for (const { ended: had } of [before, later])
        assert.deepEqual(ended.slice(0, had.length), had, 'what had ended stays');
      const best = bestOf(ended);
      assert.equal(bestTrial?.number, best);
      assert.deepEqual(await trained(folder), { trial: best, digest: producedVersion?.digest });
      return (
        `${before.ended.length} of ${trials} trials had ended and ${before.running.length} ran when ${doomed.length} workers were killed, all back after ` +
        `${seconds.toFixed(0)} s; ${later.ended.length} when the operator was killed alone; version ` +
        `${producedVersion?.version} of trial ${best}`
      );
    },
  },
  {
    name: 'training: a search by database, whose database crashes when a worker is killed: no trial is lost or done twice, and the best one is trained to a version',
    obstacle: postgresObstacle,
    async run(stage, signal) {
      const { cluster } = stage;
      await using ground = await openTrainingGround(stage, signal);
      const [secret, trials] = ['search', 6];
      const database = await Postgres.open(cluster, TRAINING_NAMESPACE, CLAIM, secret, signal);
      await ground.train('apart', {
        model: SLOW.model,
        search: { trials, parallelism: 2, storage: { rdb: { urlSecretRef: { name: secret, key: 'url' } } } },
      });
      const journal = () => searchTables(database);
      const before = await searchHas(
        journal,
        'two trials have ended, and several run',
        twoEndedAndSeveralRun,
        signal,
      );
      const [victim, other] = await ground.workers('apart', 1);
      assert.ok(victim !== undefined && other !== undefined);
      const kill = await killProcess(victim);
      kill();
      await database.crash();
      const away = performance.now();
      await says(cluster, other.pod, 'the database is away', signal);
      await database.start();
      const seconds = (performance.now() - away) / 1_000;
      await says(cluster, other.pod, 'the database is back', signal);
      const { attempt, bestTrial, restarts, producedVersion } = await ground.becomes(
        'apart',
        'it is complete',
        ({ phase }) => phase === 'Complete',
      );
      // The search was attempt 1 all the time, and training is 2.
      assert.deepEqual([restarts, attempt?.number], [{ error: 1 }, 2]);
      const { ended, running } = await journal();
      endedOnce(ended, trials);
      assert.deepEqual(running, []);
      assert.deepEqual(ended.slice(0, before.ended.length), before.ended, 'what had ended stays');
      const best = bestOf(ended);
      assert.equal(bestTrial?.number, best);
      const folder = await ground.folder('apart');
      assert.deepEqual(await trained(folder), { trial: best, digest: producedVersion?.digest });
      assert.deepEqual(
        await readdir(join(folder, 'search')).catch(() => []),
        [],
        'no journal lies on the claim',
      );
      return `${before.ended.length} of ${trials} trials had ended, the database was away for ${seconds.toFixed(0)} s; version ${producedVersion?.version} of trial ${best}`;
    },
  },
];

/** Its trainer's log has a line with `words`. */
async function says(cluster: ClusterFacts, pod: string, words: string, signal: AbortSignal): Promise<void> {
  await eventually(
    `${pod} says “${words}”`,
    async () => {
      const log = await kubectl(cluster, ['logs', `--namespace=${TRAINING_NAMESPACE}`, pod], {}, signal);
      if (!log.includes(words)) throw new Error(log.slice(-2_000));
      return true as const;
    },
    120_000,
    signal,
  );
}

/** Not all: one may be late, for a moment its node is not yet allowed to read the claim. */
const severalSearch = ({ running }: SearchTrials) => running.length >= 2;
const twoEndedAndSeveralRun = (journal: SearchTrials) => journal.ended.length >= 2 && severalSearch(journal);

/** @param read asks no API server where the journal is a file: one that is slow hides no moment */
function searchHas(
  read: () => Promise<SearchTrials>,
  what: string,
  check: (journal: SearchTrials) => boolean,
  signal: AbortSignal,
): Promise<SearchTrials> {
  return eventually(
    what,
    async () => {
      const journal = await read();
      if (!check(journal)) throw new Error(JSON.stringify(journal));
      return journal;
    },
    300_000,
    signal,
  );
}

/** So many trials in all; none is there twice, nor one with the hyperparameters of another. */
function endedOnce(ended: readonly EndedTrial[], trials: number): void {
  const told = JSON.stringify(ended);
  assert.equal(ended.length, trials, told);
  assert.equal(new Set(ended.map(({ number }) => number)).size, trials, told);
  assert.equal(new Set(ended.map(({ parameters }) => parameters)).size, trials, told);
}

/** Number of the trial with the lowest score. */
function bestOf(ended: readonly EndedTrial[]): number | undefined {
  const scored = ended.flatMap(({ number, score, pruned }) =>
    pruned || score === undefined ? [] : [{ number, score }],
  );
  return scored.toSorted((a, b) => a.score - b.score || a.number - b.number)[0]?.number;
}

/** What the lineage of a run's model says: of which trial it is, and which file. */
async function trained(folder: string): Promise<object> {
  const lineage = JSON.parse(await readFile(join(folder, 'out/lineage.json'), 'utf8')) as {
    sha256: string;
    config: { search: { found: { trial: number } } };
  };
  return { trial: lineage.config.search.found.trial, digest: lineage.sha256 };
}

interface Searcher {
  readonly name: string;
  readonly uid: string;
  readonly phase: string;
}

/** The pods of a run's search, those that have failed among them. */
async function searchers(ground: TrainingGround, run: string): Promise<readonly Searcher[]> {
  const selector = encodeURIComponent(`foresail.io/training-job=${run},foresail.io/training-stage=search`);
  const path = `/api/v1/namespaces/${TRAINING_NAMESPACE}/pods?labelSelector=${selector}`;
  const { items } = await request<{
    items: { metadata: { name: string; uid: string }; status: { phase: string } }[];
  }>(ground.cluster, 'GET', path);
  return items.map(({ metadata, status }) => ({
    name: metadata.name,
    uid: metadata.uid,
    phase: status.phase,
  }));
}

/** As soon as so many of its pods run, beside those that were killed. */
function runningSearchers(
  ground: TrainingGround,
  run: string,
  count: number,
  killed: readonly Container[],
  signal: AbortSignal,
): Promise<readonly Searcher[]> {
  return eventually(
    `${run}: ${count} pods search`,
    async () => {
      const all = await searchers(ground, run);
      const running = all.filter(
        ({ name, phase }) => phase === 'Running' && !killed.some(({ pod }) => pod === name),
      );
      if (running.length < count) throw new Error(JSON.stringify(all));
      return running;
    },
    180_000,
    signal,
  );
}
