/**
 * Runs every test runner of the project and ends with one plain line over all of them,
 * `N passed, N failed, N skipped`, since each runner counts in a form of its own. With `--real-pods` the stories on a
 * real kubelet that do not take long are among them, where one can run and its programs stand.
 *
 * Tests on clusters wait most of their time, for leases and windows in real seconds. So the pure ones run meanwhile
 * with what they leave of the machine (lowest priority), and are shown when they have ended.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChild } from './child.ts';

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

interface Runner {
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Reads the runner's own report. A runner that dies without one counts as one failure. */
  readonly count: (stdout: string) => Count;
}

interface Lane {
  readonly total: Count;
  readonly signal: NodeJS.Signals | undefined;
}

const root = join(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'foresail-test-'));

function jest(project: string, ...flags: readonly string[]): Runner {
  const report = join(scratch, `${project}.json`);
  return {
    name: `jest ${project}`,
    command: [
      process.execPath,
      'node_modules/.bin/jest',
      '--selectProjects',
      project,
      '--json',
      `--outputFile=${report}`,
      // A test that timed out may leave a program of its own running; the count must come all the same.
      '--forceExit',
      ...flags,
      ...(process.env['CI'] ? ['--ci'] : []),
    ],
    env: { NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning' },
    count() {
      const result = JSON.parse(readFileSync(report, 'utf8'));
      return {
        passed: result.numPassedTests,
        // A file that could not even load has no failed test of its own.
        failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
        skipped: result.numPendingTests + result.numTodoTests,
      };
    },
  };
}

function pytest(venv: string): Runner {
  const report = join(scratch, 'pytest.xml');
  return {
    name: 'pytest',
    command: [
      join(venv, 'bin/python'),
      '-m',
      'pytest',
      '-q',
      '-p',
      'no:cacheprovider',
      `--junitxml=${report}`,
    ],
    cwd: join(root, 'models'),
    env: { PYTHONDONTWRITEBYTECODE: '1' },
    count() {
      const xml = readFileSync(report, 'utf8');
      const number = (name: string) =>
        Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(xml)?.[1] ?? NaN);
      const failed = number('failures') + number('errors');
      return { passed: number('tests') - failed - number('skipped'), failed, skipped: number('skipped') };
    },
  };
}

const goTest: Runner = {
  name: 'go test',
  command: ['go', 'test', '-json', './...'],
  cwd: join(root, 'e2e/cluster'),
  count(stdout) {
    const events = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { Action: string; Test?: string });
    const ended = (action: string) =>
      events.filter((e) => e.Action === action && e.Test !== undefined).length;
    return { passed: ended('pass'), failed: ended('fail'), skipped: ended('skip') };
  },
};

const realPods: Runner = {
  name: 'real pods',
  command: [process.execPath, 'e2e/node/main.ts', '--if-built', '--quick'],
  count(stdout) {
    const [, passed, failed, skipped] =
      /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/m.exec(stdout) ?? [];
    return { passed: Number(passed), failed: Number(failed), skipped: Number(skipped ?? 0) };
  },
};

async function venvPath(): Promise<string> {
  const { code, signal, stdout } = await runChild([join(root, 'tools/setup/python.sh')]);
  endIf(signal);
  if (code !== 0) throw new Error('the Python environment could not be made');
  return stdout.trim().split('\n').at(-1) as string;
}

/** As the shell does it: 128 and the number of the signal. */
function endIf(signal: NodeJS.Signals | undefined): void {
  if (signal === undefined) return;
  rmSync(scratch, { recursive: true });
  process.stdout.write(`\nended by ${signal}\n`);
  process.exit(128 + constants.signals[signal]);
}

/** Runs one after the other, until a signal ends one. */
async function runLane(runners: readonly Runner[], background: boolean): Promise<Lane> {
  const total: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const runner of runners) {
    const kept: Buffer[] = [];
    const say = (text: string | Buffer): void => {
      if (background) kept.push(Buffer.from(text));
      else process.stdout.write(text);
    };
    say(`\n== ${runner.name}\n`);
    const { code, signal, stdout } = await runChild(
      [...(background ? ['nice', '-n', '19'] : []), ...runner.command],
      {
        cwd: runner.cwd ?? root,
        env: { ...process.env, ...runner.env },
        show: (chunk) => runner !== goTest && say(chunk),
        ...(background ? { showErrors: say } : {}),
      },
    );
    const count = counted(runner, code, stdout);
    say(`== ${runner.name}: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
    process.stdout.write(Buffer.concat(kept));
    if (signal !== undefined) return { total, signal };
    total.passed += count.passed;
    total.failed += count.failed;
    total.skipped += count.skipped;
  }
  return { total, signal: undefined };
}

function counted(runner: Runner, code: number, stdout: string): Count {
  let count: Count;
  try {
    count = runner.count(stdout);
    if (Number.isNaN(count.passed + count.failed + count.skipped)) throw new Error('unreadable report');
  } catch {
    count = { passed: 0, failed: 1, skipped: 0 };
  }
  // A runner may fail without a failed test, e.g. by a broken global set-up.
  return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

const { values: flags } = parseArgs({ options: { 'real-pods': { type: 'boolean', default: false } } });
const pure: Runner[] = [pytest(await venvPath()), goTest, jest('unit', '--maxWorkers=100%')];
const onClusters: Runner[] = [jest('cluster'), ...(flags['real-pods'] ? [realPods] : [])];
const lanes = await Promise.all([runLane(onClusters, false), runLane(pure, true)]);
for (const { signal } of lanes) endIf(signal);
rmSync(scratch, { recursive: true });
const sum = (of: keyof Count): number => lanes.reduce((all, { total }) => all + total[of], 0);
process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped\n`);
process.exitCode = sum('failed') === 0 && sum('passed') > 0 ? 0 : 1;
