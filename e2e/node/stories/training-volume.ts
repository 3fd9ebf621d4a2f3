/** What happens to a run whose claim lets it down: no room on it, a checkpoint that is half there. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { watch } from 'node:fs';
import { open, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainingJobStatus } from '../../../operator/api/index.ts';
import { kubectl } from '../../kubectl.ts';
import { type Container, killProcess } from '../containers.ts';
import type { NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';
import { TRAINING_NAMESPACE } from '../trainer.ts';
import { CLAIM, leftAlone, openTrainingGround, SLOW, type TrainingGround } from '../training-run.ts';

/** Room for the data, four checkpoints and what a run leaves. */
const CLAIM_MEBIBYTES = 96;
/** Tries at a kill that falls into the write of a checkpoint, which takes some milliseconds. */
const MOST_KILLS = 10;

export const TRAINING_VOLUME: readonly Story<NodeStage>[] = [
  {
    name: 'training: the claim is full in the middle of a run: it says so, harms no checkpoint, and goes on when there is room',
    async run(stage, signal) {
      await using ground = await openTrainingGround(stage, signal, CLAIM_MEBIBYTES);
      // One failure would be one too many.
      await ground.train('cramped', { ...SLOW, backoffLimit: 0 });
      await ground.checkpointed('cramped', 1);
      const filler = join(ground.volume, 'filler');
      await fill(filler);
      const [newest] = await ground.checkpoints('cramped');
      assert.ok(newest !== undefined);
      const trains = await ground.becomes(
        'cramped',
        'it trains on and says why there is no checkpoint',
        (status) => progressing(status).reason === 'CheckpointFailed',
      );
      const said = progressing(trains);
      assert.equal(trains.phase, 'Training');
      assert.equal(said.status, 'True');
      assert.match(said.message, new RegExp(`claim ${CLAIM} .*step ${newest}: .*No space left on device`));
      const ended = await ground.becomes(
        'cramped',
        'its model has no room',
        (status) => status.restarts?.volumeFull !== undefined,
      );
      const why = progressing(ended);
      assert.equal(why.reason, 'VolumeFull');
      assert.match(why.message, new RegExp(`claim ${CLAIM} has no room.*No space left on device`));
      assert.equal((await ground.checkpoints('cramped'))[0], newest, 'no later one is taken for whole');
      await wholeCheckpoint(ground, 'cramped', newest);

      const done = (await ground.stepLog('cramped')).length;
      await rm(filler);
      const complete = await ground.becomes('cramped', 'it is complete', ({ phase }) => phase === 'Complete');
      const again = (await ground.stepLog('cramped'))[done];
      assert.equal(again?.step, newest + 1, 'it goes on behind the newest checkpoint');
      assert.equal(complete.restarts?.error, undefined);
      assert.ok(complete.producedVersion !== undefined);
      return `said “${said.message}”; gone on from step ${newest}, version ${complete.producedVersion.version}`;
    },
  },
  {
    name: 'training: the claim is full while the gate judges: it is judged again when there is room, and registered once',
    async run(stage, signal) {
      await using ground = await openTrainingGround(stage, signal, CLAIM_MEBIBYTES);
      await ground.train('judged', { backoffLimit: 0 });
      await ground.trained('judged');
      const filler = join(ground.volume, 'filler');
      await fill(filler);
      const waits = await ground.becomes(
        'judged',
        'its gate has found no room',
        ({ gateWait }) => gateWait !== undefined,
      );
      const said = progressing(waits);
      assert.equal(waits.phase, 'Pending');
      assert.equal(said.reason, 'VolumeFull');
      assert.match(said.message, /no room for what the gate writes.*ARTIFACT_NO_SPACE/);
      assert.equal(waits.producedVersion, undefined);
      assert.equal(waits.gate, undefined, 'no verdict');
      await rm(filler);
      const complete = await ground.becomes('judged', 'it is complete', ({ phase }) => phase === 'Complete');
      assert.equal(complete.restarts, undefined);
      assert.deepEqual(await ground.versions(), [complete.producedVersion?.version]);
      return `said “${said.message}”; ${complete.gateWait?.count} times, then version ${complete.producedVersion?.version}`;
    },
  },
  {
    name: 'training: rank 0 is killed while it writes a checkpoint, another one is torn: the run goes on from the newest whole one',
    async run(stage, signal) {
      await using ground = await openTrainingGround(stage, signal);
      const calm = await leftAlone(stage, ground);
      await ground.train('torn', { ...SLOW, backoffLimit: MOST_KILLS });
      await ground.checkpointed('torn', 2);
      const { kills, left } = await killedInWrite(ground, 'torn');
      // Held back while what a crash of its node would do is done to the newest one.
      await ground.change('torn', { suspend: true });
      await ground.becomes(
        'torn',
        'nothing of it runs',
        (status) => progressing(status).reason === 'Suspended',
      );
      const [torn = 0, whole = 0] = await ground.checkpoints('torn');
      const state = join(await ground.folder('torn'), `checkpoints/step-${torn}/state.pt`);
      await truncate(state, Math.floor((await stat(state)).size / 2));
      const done = (await ground.stepLog('torn')).length;
      await ground.change('torn', { suspend: false });
      const status = await ground.trained('torn');
      const [first] = (await ground.stepLog('torn')).slice(done);
      assert.ok(first !== undefined);
      assert.equal(first.step, whole + 1, `not on from step ${torn}, which is torn`);
      const log = await kubectl(stage.cluster, [
        'logs',
        '--namespace',
        TRAINING_NAMESPACE,
        `--selector=foresail.io/training-job=torn,foresail.io/training-attempt=${first.attempt}`,
        '--tail=-1',
      ]);
      assert.match(log, new RegExp(`checkpoint step-${torn} passed over`));
      assert.equal(status.candidate?.digest, calm.digest, 'the same file, byte by byte');
      const entries = await readdir(join(await ground.folder('torn'), 'checkpoints'));
      assert.deepEqual(
        entries.filter((name) => !name.startsWith('step-')),
        [],
        'nothing half made stays',
      );
      return `kill ${kills} left ${left.join(' and ') || 'an empty folder'}; gone on from step ${whole}, and the same model`;
    },
  },
];

function progressing({ conditions }: TrainingJobStatus) {
  const {
    status = '',
    reason = '',
    message = '',
  } = conditions?.find(({ type }) => type === 'Progressing') ?? {};
  return { status, reason, message };
}

/** Takes all the room that there is. */
async function fill(file: string): Promise<void> {
  const target = await open(file, 'w');
  try {
    // oxlint-disable-next-line no-await-in-loop -- until there is no room
    for (const size of [1 << 20, 4096]) while (await written(Buffer.alloc(size)));
  } finally {
    await target.close();
  }

  async function written(data: Buffer): Promise<boolean> {
    try {
      return (await target.write(data)).bytesWritten > 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      return false;
    }
  }
}

/** Throws unless the state is the one that its manifest describes. */
async function wholeCheckpoint(ground: TrainingGround, name: string, step: number): Promise<void> {
  const folder = join(await ground.folder(name), `checkpoints/step-${step}`);
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  const state = await readFile(join(folder, 'state.pt'));
  assert.deepEqual(
    { step: manifest['step'], sha256: manifest['sha256'] },
    { step, sha256: createHash('sha256').update(state).digest('hex') },
  );
}

/**
 * kill -9 of rank 0 at the moment at which a checkpoint begins to be written, again until one was not whole by then.
 *
 * @returns how often it was killed, and the files that the last one had written of its checkpoint
 */
async function killedInWrite(
  ground: TrainingGround,
  name: string,
): Promise<{ readonly kills: number; readonly left: readonly string[] }> {
  const folder = join(await ground.folder(name), 'checkpoints');
  for (let kills = 1; kills <= MOST_KILLS; kills += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one kill after the other
    await ground.steps(name, kills);
    // oxlint-disable-next-line no-await-in-loop
    const [lead] = await ground.workers(name, kills);
    assert.ok(lead !== undefined);
    // oxlint-disable-next-line no-await-in-loop
    const making = await killedWhenItMakes(folder, lead);
    // oxlint-disable-next-line no-await-in-loop
    const left = await readdir(join(folder, making)).catch(() => undefined);
    if (left !== undefined) return { kills, left };
  }
  throw new Error(`no checkpoint of ${name} was half written after ${MOST_KILLS} kills`);
}

/** @returns the folder that was being made */
async function killedWhenItMakes(folder: string, lead: Container): Promise<string> {
  const kill = await killProcess(lead);
  return await new Promise((resolve, reject) => {
    const watcher = watch(folder, (_, entry) => {
      if (entry?.startsWith('.making-') !== true) return;
      watcher.close();
      try {
        kill();
        resolve(entry);
      } catch (error) {
        reject(error);
      }
    });
    watcher.once('error', reject);
  });
}
