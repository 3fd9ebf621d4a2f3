/** What happens to a run whose pods are killed, evicted, frozen or kept waiting. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { request } from '../../api.ts';
import { eventually } from '../../eventually.ts';
import { killContainers } from '../containers.ts';
import type { NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';
import { TRAINING_NAMESPACE } from '../trainer.ts';
import { leftAlone, openTrainingGround, SLOW, type Step, type TrainingGround } from '../training-run.ts';

const KILLS = 10;
/** Attempts that are killed when they have a checkpoint of their own; most of the others end before that. */
const BEHIND_CHECKPOINT = [4, 8];
const CHECKPOINT_SECONDS = 10;

export const TRAINING_FAULTS: readonly Story<NodeStage>[] = [
  {
    name: 'training: workers are killed ten times at random steps, and the model is that of a run that was left alone',
    async run(stage, signal) {
      await using ground = await openTrainingGround(stage, signal);
      const calm = await leftAlone(stage, ground);
      assert.equal(repeated(calm.steps), 0);

      await ground.train('killed', { ...SLOW, backoffLimit: KILLS });
      const back: number[] = [];
      for (let attempt = 1; attempt <= KILLS; attempt++)
        // oxlint-disable-next-line no-await-in-loop -- one kill after the other
        back.push(await killOneWorker(ground, 'killed', attempt));
      const killed = await ground.trained('killed');
      const disturbed = await ground.stepLog('killed');
      assert.equal(killed.restarts?.error, KILLS);
      assert.equal(killed.candidate?.digest, calm.digest, 'the same file, byte by byte');
      const interval = mostStepsWithin(calm.steps.length, calm.seconds);
      const lost = back.map((_, i) => lastStep(disturbed, i + 1) + 1 - firstStep(disturbed, i + 2));
      assert.ok(
        lost.every((steps) => steps <= interval),
        `by the kills ${lost.join(', ')} steps were repeated, an interval has ${interval}`,
      );
      for (const attempt of BEHIND_CHECKPOINT)
        assert.ok(
          firstStep(disturbed, attempt + 1) > firstStep(disturbed, attempt),
          `attempt ${attempt + 1} goes on from the checkpoint of ${attempt}`,
        );
      const [median, worst] = [back.toSorted((a, b) => a - b)[KILLS / 2] ?? 0, Math.max(...back)];
      return (
        `${repeated(disturbed)} of ${calm.steps.length} steps repeated, at most ${Math.max(...lost)} by a kill, an interval has ` +
        `${interval}; from a kill to the next step ${median.toFixed(0)} s by the median, ${worst.toFixed(0)} s at most`
      );
    },
  },
  {
    name: 'training: an evicted worker writes its checkpoint, and costs no try',
    async run(stage, signal) {
      await using ground = await openTrainingGround(stage, signal);
      await ground.train('evicted', { ...SLOW, backoffLimit: 0 });
      await ground.steps('evicted', 1, 20);
      const [worker] = await ground.workers('evicted', 1);
      assert.ok(worker !== undefined);
      await evict(ground, worker.pod);
      const status = await ground.trained('evicted');
      assert.equal(status.restarts?.disruption, 1);
      assert.equal(repeated(await ground.stepLog('evicted')), 0, 'nothing was done twice');
      return 'no step was done twice';
    },
  },
  {
    name: 'training: a rank that hangs is found by the deadline of its progress, and the run goes on without it',
    async run(stage, signal) {
      await using ground = await openTrainingGround(stage, signal);
      await ground.train('frozen', { ...SLOW, progressDeadline: '30s' });
      await ground.steps('frozen', 1, 20);
      const workers = await ground.workers('frozen', 1);
      const last = workers.at(-1);
      assert.ok(last !== undefined);
      await killContainers(ground.cluster, [last], 'SIGSTOP');
      const begun = performance.now();
      await ground.steps('frozen', 2);
      const seconds = (performance.now() - begun) / 1_000;
      const status = await ground.trained('frozen');
      assert.equal(status.restarts?.stalled, 1);
      return `going on after ${seconds.toFixed(0)} s`;
    },
  },
  {
    name: 'training: a run of a queue waits, suspended and with the queue’s label, until somebody lets it go',
    async run(stage, signal) {
      await using ground = await openTrainingGround(stage, signal);
      await ground.train('queued', { queueName: 'night' });
      await ground.becomes('queued', 'it waits', ({ phase }) => phase === 'Queued');
      const path = `/apis/batch/v1/namespaces/${TRAINING_NAMESPACE}/jobs/queued-1`;
      const job = await request<{
        metadata: { labels: Record<string, string> };
        spec: { suspend: boolean };
        status?: { active?: number };
      }>(ground.cluster, 'GET', path);
      assert.equal(job.metadata.labels['kueue.x-k8s.io/queue-name'], 'night');
      assert.deepEqual([job.spec.suspend, job.status?.active ?? 0], [true, 0]);
      // As Kueue does.
      await request(ground.cluster, 'PATCH', path, { spec: { suspend: false } });
      await ground.trained('queued');
    },
  },
];

/**
 * At a random step, whichever it is.
 *
 * @returns the seconds until the next attempt has made a step
 */
async function killOneWorker(ground: TrainingGround, run: string, attempt: number): Promise<number> {
  const steps = await ground.steps(run, attempt, randomInt(60));
  if (BEHIND_CHECKPOINT.includes(attempt)) await ground.checkpointed(run, 1, firstStep(steps, attempt));
  const workers = await ground.workers(run, attempt);
  const victim = workers[randomInt(workers.length)];
  assert.ok(victim !== undefined, `attempt ${attempt} has a worker`);
  await killContainers(ground.cluster, [victim]);
  const killed = performance.now();
  await ground.steps(run, attempt + 1);
  return (performance.now() - killed) / 1_000;
}

/** With which an attempt began. */
function firstStep(steps: readonly Step[], of: number): number {
  return steps.find(({ attempt }) => attempt === of)?.step ?? Number.NaN;
}

/** The last one that an attempt has made. */
function lastStep(steps: readonly Step[], of: number): number {
  return Math.max(...steps.flatMap(({ step, attempt }) => (attempt === of ? step : [])));
}

/** Steps that were done more than once. */
function repeated(steps: readonly Step[]): number {
  return steps.length - new Set(steps.map(({ step }) => step)).size;
}

/** Steps of one interval between two checkpoints, at the pace of a whole run. */
function mostStepsWithin(steps: number, seconds: number): number {
  return Math.ceil((steps / seconds) * CHECKPOINT_SECONDS);
}

async function evict(ground: TrainingGround, pod: string): Promise<void> {
  const path = `/api/v1/namespaces/${TRAINING_NAMESPACE}/pods/${pod}`;
  await request(ground.cluster, 'POST', `${path}/eviction`, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { namespace: TRAINING_NAMESPACE, name: pod },
  });
  await eventually(
    'it goes',
    async () => {
      const found = await request(ground.cluster, 'GET', path).catch(() => undefined);
      if (found !== undefined) throw new Error(`${pod} is still there`);
      return true as const;
    },
    180_000,
  );
}
