/**
 * `make bench-serve`: Foresail's inference server beside four others on the same model files. SHORT=1 looks at few
 * points in a few minutes; MODELS, WIRES, CLIENTS and PEERS (comma lists) pick some, SWEEP=0 takes the peers' first
 * settings, LOAD names the load generator. A run that is cut off goes on where it stopped when it is called again.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { machineLine, observeMachine } from '../machine.ts';
import { say, setting, writeJson } from '../report.ts';
import { Bench, type Plan } from './bench.ts';
import { FORESAIL, PEERS_OF_FORESAIL } from './contenders.ts';
import { MODELS, writeRepository } from './models.ts';
import { WIRES, type Wire } from './questions.ts';
import { Results } from './results.ts';
import { serveTables } from './tables.ts';

const short = process.env['SHORT'] === '1';
const plan: Plan = {
  models: listed('MODELS', short ? ['loadcast', 'mlp8k'] : MODELS.map(({ name }) => name)),
  wires: listed('WIRES', WIRES) as Wire[],
  clients: listed('CLIENTS', short ? ['16'] : ['1', '16', '256']).map(Number),
  peers: listed(
    'PEERS',
    PEERS_OF_FORESAIL.map(({ name }) => name),
  ),
  rounds: setting('ROUNDS', 2),
  seconds: setting('MS', short ? 1_500 : 1_800) / 1_000,
  sweepSeconds: setting('SWEEP_MS', short ? 400 : 700) / 1_000,
  coldStarts: setting('COLD', short ? 1 : 3),
  overload: process.env['OVERLOAD'] !== '0',
};

if (availableParallelism() < 2)
  throw new Error('the server and its load need a core each; this machine has one');
const [serverCore, loadCore] = [0, 1];
const program = process.env['LOAD'];
if (program === undefined) throw new Error('LOAD has to name the load generator; `make bench-serve` does');
// Nothing of ours runs on the server's core.
spawnSync('taskset', ['-cp', String(loadCore), String(process.pid)], { stdio: 'ignore' });

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => interrupted.abort(new Error(`stopped by ${name}`)));
const { signal } = interrupted;

const machine = observeMachine();
const peers = PEERS_OF_FORESAIL.filter(({ name }) => plan.peers.includes(name));
const versions: Record<string, string> = {};
const usable = [FORESAIL, ...peers].filter((contender) => {
  try {
    versions[contender.name] = contender.version();
    say(`${contender.name}: ${versions[contender.name]}`);
    return true;
  } catch (error) {
    say(`${contender.name} is left out: ${(error as Error).message}`);
    return false;
  }
});
// Other changes do not make what was measured before a result of another program.
const parts = ['operator/server', 'operator/inference', 'e2e/bench/serve'];
const revision = spawnSync('git', ['log', '-1', '--format=%H', '--', ...parts], { encoding: 'utf8' });
const runFolder = mkdtempSync(join(tmpdir(), 'foresail-bench-serve-'));
const results = Results.open(
  join(import.meta.dirname, '../../../bench-results/serve-under-way.json'),
  JSON.stringify({ plan, versions, revision: revision.stdout.trim() }),
);
if (results.size > 0) say(`going on after ${results.size} results of an earlier run`);
const repository = join(runFolder, 'models');
writeRepository(repository);
const bench = new Bench(
  plan,
  usable.filter((contender) => contender !== FORESAIL),
  results,
  { repository, runFolder, serverCore },
  { program, core: loadCore },
  signal,
);
try {
  const sweep = process.env['SWEEP'] === '0' ? [] : await bench.sweep();
  const cells = await bench.cells(sweep);
  const overload = plan.overload ? await bench.overload(sweep) : [];
  const coldStarts = await bench.coldStarts();
  const observed = machine();
  const measured = { versions, sweep, cells, overload, coldStarts, failures: bench.failures };
  process.stdout.write(`${machineLine(observed)}\n\n${serveTables(plan, measured)}\n`);
  say(`as JSON: ${writeJson('serve', { machine: observed, plan, ...measured })}`);
  results.remove();
} finally {
  await bench.end();
  rmSync(runFolder, { recursive: true, force: true });
}

function listed(name: string, fallback: readonly string[]): string[] {
  const text = process.env[name] ?? '';
  return text === '' ? [...fallback] : text.split(',').map((item) => item.trim());
}
