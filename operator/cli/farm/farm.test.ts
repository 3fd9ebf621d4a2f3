import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type FarmOptions, farm, type Outcome } from './farm.ts';

// Processes are started: seconds on a busy machine.
const SERVE_JOBS = new URL('./serve-jobs.ts', import.meta.url).href;
/** Doubles numbers; some jobs end otherwise. Each job is noted in the file that it names, with the process that did it. */
const CHILD = `
import { appendFileSync } from 'node:fs';
import { serveJobs } from '${SERVE_JOBS}';
serveJobs(async ({ number, log, ending }, onProgress) => {
  onProgress('doubling', 0, 1);
  appendFileSync(log, number + ' ' + process.pid + '\\n');
  if (ending === 'throw') throw new Error('cannot double ' + number);
  if (ending === 'die') process.kill(process.pid, 'SIGKILL');
  if (ending === 'hang') for (;;);
  return { doubled: Float64Array.of(2 * number, Number.NaN) };
});
`;

interface Job {
  readonly number: number;
  readonly log: string;
  readonly ending?: 'throw' | 'die' | 'hang';
}

let folder = '';
let entry: URL;
let logs = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-farm-'));
  const file = join(folder, 'child.mjs');
  await writeFile(file, CHILD);
  entry = pathToFileURL(file);
});
afterAll(() => rm(folder, { recursive: true }));

interface Ran {
  readonly outcomes: readonly Outcome<{ doubled: Float64Array }>[];
  /** Numbers in the order in which they were begun, and the processes that did it. */
  readonly begun: readonly number[];
  readonly processes: number;
  readonly heard: readonly string[];
}

async function run(
  jobs: readonly (Omit<Job, 'log'> & { bytes?: number })[],
  options: Partial<FarmOptions<{ doubled: Float64Array }>> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Ran> {
  const log = join(folder, `log-${logs++}`);
  await writeFile(log, '');
  const heard: string[] = [];
  const outcomes = await farm<Job, { doubled: Float64Array }>(
    jobs.map(({ bytes = 1, ...job }) => ({ job: { ...job, log }, bytes })),
    {
      entry,
      parallel: 2,
      bytes: 100,
      onProgress: (job, what, done, all) => heard.push(`${job} ${what} ${done}/${all}`),
      onOutcome: (job, { kind }) => heard.push(`${job} ${kind}`),
      ...options,
    },
    signal,
  );
  const lines = (await readFile(log, 'utf8')).trim().split('\n');
  const begun = lines.map((line) => Number(line.split(' ')[0]));
  return { outcomes, begun, heard, processes: new Set(lines.map((line) => line.split(' ')[1])).size };
}

describe('the farm', () => {
  test('answers in the order of the jobs, begins with the largest, and uses a child again', async () => {
    const jobs = [1, 2, 3, 4].map((number) => ({ number, bytes: 10 * number }));
    const { outcomes, begun, heard, processes } = await run(jobs, { parallel: 1 });
    const doubled = [2, 4, 6, 8].map((number) => ({ doubled: Float64Array.of(number, Number.NaN) }));
    expect(outcomes).toEqual(doubled.map((done) => ({ kind: 'done', done })));
    expect(begun).toEqual([4, 3, 2, 1]);
    expect(processes).toBe(1);
    expect(heard.slice(0, 2)).toEqual(['3 doubling 0/1', '3 done']);
  });

  test('a job that fails or whose process dies costs itself alone', async () => {
    const { outcomes } = await run([
      { number: 1 },
      { number: 2, ending: 'throw' },
      { number: 3, ending: 'die' },
      { number: 4 },
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['done', 'failed', 'failed', 'done']);
    expect(outcomes[1]).toMatchObject({ message: 'cannot double 2' });
    expect(outcomes[2]).toMatchObject({ message: 'its process ended with SIGKILL' });
  });

  test('jobs that take too much memory together run one after the other, and one that takes more than there is runs', async () => {
    const jobs = [70, 60, 900].map((bytes, number) => ({ number, bytes }));
    const { outcomes, processes } = await run(jobs, { parallel: 8 });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['done', 'done', 'done']);
    expect(processes).toBe(1);
  });

  test('an abort ends what hangs; what was done stands, the rest has failed with its reason', async () => {
    const stop = new AbortController();
    const { outcomes, heard } = await run(
      [{ number: 1, bytes: 3 }, { number: 2, bytes: 2, ending: 'hang' }, { number: 3 }],
      {
        parallel: 1,
        onProgress: (job) => {
          if (job === 1) stop.abort(new Error('interrupted'));
        },
      },
      stop.signal,
    );
    expect(outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.message : 'done'))).toEqual([
      'done',
      'interrupted',
      'interrupted',
    ]);
    expect(heard).toEqual(['0 done', '1 failed', '2 failed']);
    const late = await run([{ number: 1 }], {}, stop.signal);
    expect(late.outcomes).toEqual([{ kind: 'failed', message: 'interrupted' }]);
  });

  test('no jobs, no children', async () => {
    expect((await run([])).outcomes).toEqual([]);
  });
});
