/** `foresail`, also found by kubectl as `kubectl foresail`. */
import { Command } from 'commander';
import { isForesailError, messageOf } from '../errors.ts';
import { INTERRUPTED } from './interrupt.ts';

/** Loaded when it is named: a pod that serves a model must not wait for a Kubernetes client or a backtest. */
const COMMANDS = new Map<string, () => Promise<Command>>([
  ['explain', async () => (await import('./explain.ts')).explainCommand()],
  ['rollout', async () => (await import('./rollout.ts')).rolloutCommand()],
  ['train', async () => (await import('./train.ts')).trainCommand()],
  ['models', async () => (await import('./models.ts')).modelsCommand()],
  ['evaluate', async () => (await import('./evaluate.ts')).evaluateCommand()],
  ['backtest', async () => (await import('./backtest.ts')).backtestCommand()],
  ['gate', async () => (await import('./gate.ts')).gateCommand()],
  ['judge', async () => (await import('./judge.ts')).judgeCommand()],
  ['cluster', async () => (await import('./cluster.ts')).clusterCommand()],
  ['fetch', async () => (await import('./fetch.ts')).fetchCommand()],
  ['serve', async () => (await import('./serve.ts')).serveCommand()],
  ['router', async () => (await import('./router.ts')).routerCommand()],
]);

const program = new Command('foresail')
  .description('Predictive autoscaling for Kubernetes.')
  .showHelpAfterError();
const named = COMMANDS.get(process.argv[2] ?? '');
// The help, and what is mistyped, needs them all.
const wanted = named === undefined ? [...COMMANDS.values()] : [named];
for (const command of await Promise.all(wanted.map((load) => load()))) program.addCommand(command);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`foresail: ${messageOf(error)}${isForesailError(error) ? ` [${error.code}]` : ''}\n`);
  // As a shell says it of a program that Ctrl-C ended.
  process.exitCode = isForesailError(error, INTERRUPTED) ? 130 : 1;
}
