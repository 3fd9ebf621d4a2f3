/** The operator's process: reads its configuration, runs until a signal, and ends with a code that says how. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { systemClock } from './clock.ts';
import { readConfig } from './config.ts';
import { isForesailError, messageOf } from './errors.ts';
import { createLogger } from './observability/logger.ts';
import { runOperator } from './operator.ts';
import { loadConnection } from './runtime/index.ts';

const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

const { config: configPath, kubeconfig } = new Command('foresail-operator')
  .description('Scales workloads before the load arrives.')
  .option('--config <file>', 'configuration (YAML); defaults without it')
  .option('--kubeconfig <file>', 'default: KUBECONFIG, or the service account of the pod')
  .parse()
  .opts<{ config?: string; kubeconfig?: string }>();

try {
  const config = readConfig(configPath);
  const log = createLogger(config.log.level);
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => {
      log.info('stopping', { signal: name });
      stop.abort(new Error(name));
    });
  const connection = await loadConnection(kubeconfig === undefined ? {} : { kubeconfig });
  await runOperator({ config, connection, namespace: ownNamespace(), clock: systemClock, log }, stop.signal);
  log.info('stopped');
} catch (error) {
  const code = isForesailError(error) ? ` [${error.code}]` : '';
  process.stderr.write(`foresail-operator: ${messageOf(error)}${code}\n`);
  // Nothing of ours is half done that a restart would not finish, and a lost lease must end the process at once.
  process.exit(1);
}

function ownNamespace(): string {
  const named = process.env['POD_NAMESPACE'];
  if (named !== undefined) return named;
  try {
    return readFileSync(NAMESPACE_FILE, 'utf8').trim();
  } catch {
    return 'foresail-system';
  }
}
