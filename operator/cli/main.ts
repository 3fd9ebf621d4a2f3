/** `foresail`, also found by kubectl as `kubectl foresail`. */
import { Command } from 'commander';
import { isForesailError, messageOf } from '../errors.ts';
import { backtestCommand } from './backtest.ts';
import { clusterCommand } from './cluster.ts';
import { evaluateCommand } from './evaluate.ts';
import { explainCommand } from './explain.ts';
import { fetchCommand } from './fetch.ts';
import { INTERRUPTED } from './interrupt.ts';
import { judgeCommand } from './judge.ts';
import { rolloutCommand } from './rollout.ts';
import { routerCommand } from './router.ts';
import { serveCommand } from './serve.ts';

const program = new Command('foresail')
  .description('Predictive autoscaling for Kubernetes.')
  .showHelpAfterError()
  .addCommand(explainCommand())
  .addCommand(rolloutCommand())
  .addCommand(evaluateCommand())
  .addCommand(backtestCommand())
  .addCommand(judgeCommand())
  .addCommand(clusterCommand())
  .addCommand(fetchCommand())
  .addCommand(serveCommand())
  .addCommand(routerCommand());

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`foresail: ${messageOf(error)}${isForesailError(error) ? ` [${error.code}]` : ''}\n`);
  // As a shell says it of a program that Ctrl-C ended.
  process.exitCode = isForesailError(error, INTERRUPTED) ? 130 : 1;
}
