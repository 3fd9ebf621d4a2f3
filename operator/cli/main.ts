/** `foresail`, also found by kubectl as `kubectl foresail`. */
import { Command } from 'commander';
import { isForesailError, messageOf } from '../errors.ts';
import { backtestCommand } from './backtest.ts';
import { clusterCommand } from './cluster.ts';
import { evaluateCommand } from './evaluate.ts';
import { explainCommand } from './explain.ts';
import { rolloutCommand } from './rollout.ts';
import { serveCommand } from './serve.ts';

const program = new Command('foresail')
  .description('Predictive autoscaling for Kubernetes.')
  .showHelpAfterError()
  .addCommand(explainCommand())
  .addCommand(rolloutCommand())
  .addCommand(evaluateCommand())
  .addCommand(backtestCommand())
  .addCommand(clusterCommand())
  .addCommand(serveCommand());

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`foresail: ${messageOf(error)}${isForesailError(error) ? ` [${error.code}]` : ''}\n`);
  process.exitCode = 1;
}
