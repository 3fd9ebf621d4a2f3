/** `foresail rollout VERB NAME`: how the rollout of a ModelDeployment stands, and a person's word on it. */
import { Command, InvalidArgumentError } from 'commander';
import { MODEL_DEPLOYMENT, type ModelDeployment, parseModelDeployment } from '../api/index.ts';
import { isConflict, type KubeClient } from '../runtime/index.ts';
import { rolloutText } from './rollout-text.ts';
import { VERBS, type Verb, type VerbFlags, wordOf } from './rollout-verbs.ts';
import { withClient } from './with-client.ts';

const REF = {
  group: MODEL_DEPLOYMENT.group,
  version: MODEL_DEPLOYMENT.version,
  plural: MODEL_DEPLOYMENT.plural,
  namespaced: true,
};
const DEADLINE_MS = 15_000;
/** The operator writes status at any time, and each of its writes makes ours a conflict. */
const ATTEMPTS = 5;

interface Flags extends VerbFlags {
  readonly namespace: string;
  readonly kubeconfig?: string;
  readonly output?: string;
}

const DESCRIPTIONS: Readonly<Record<Verb, string>> = {
  promote: 'let the rollout go on after the step that it is at',
  abort: 'take the new version back; stable serves',
  retry: 'try a version that went back anew, as a version of its own',
  undo: 'return to a version that served before, at once',
  pause: 'begin no step and promote nothing',
  resume: 'end a pause',
};

export function rolloutCommand(): Command {
  const rollout = new Command('rollout').description('see and steer the rollout of a ModelDeployment');
  const add = (name: string, description: string) =>
    rollout
      .command(name)
      .description(description)
      .argument('<name>', 'name of the ModelDeployment')
      .option('-n, --namespace <namespace>', 'its namespace', 'default')
      .option('--kubeconfig <file>', 'default: KUBECONFIG or ~/.kube/config');
  add('status', 'say how the rollout stands')
    .option('-o, --output <form>', 'text or json', 'text')
    .action((name: string, flags: Flags) =>
      withClient(flags.kubeconfig, (client) => showStatus(client, name, flags)),
    );
  for (const verb of VERBS) {
    const command = add(verb, DESCRIPTIONS[verb]);
    if (verb === 'promote') command.option('--full', 'all steps instead of one');
    if (verb === 'undo') command.option('--to <version>', 'default: the one that served last', versionNumber);
    command.action((name: string, flags: Flags) =>
      withClient(flags.kubeconfig, (client) => say(client, verb, name, flags)),
    );
  }
  return rollout;
}

function versionNumber(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('must be the number of a version');
}

async function read(client: KubeClient, name: string, { namespace }: Flags): Promise<ModelDeployment> {
  return parseModelDeployment(await client.get(REF, { namespace, name }, AbortSignal.timeout(DEADLINE_MS)));
}

async function showStatus(client: KubeClient, name: string, flags: Flags): Promise<void> {
  const object = await read(client, name, flags);
  const text = flags.output === 'json' ? JSON.stringify(object.status ?? {}, null, 2) : rolloutText(object);
  process.stdout.write(`${text}\n`);
}

async function say(client: KubeClient, verb: Verb, name: string, flags: Flags): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- each attempt looks anew
    const object = await read(client, name, flags);
    const { patch, text } = wordOf(verb, object, flags);
    const { resourceVersion } = object.metadata;
    try {
      // oxlint-disable-next-line no-await-in-loop
      await client.mergePatch(
        REF,
        { namespace: flags.namespace, name },
        { spec: { rollout: patch } },
        resourceVersion === undefined ? {} : { resourceVersion },
        AbortSignal.timeout(DEADLINE_MS),
      );
      process.stdout.write(`${name}: ${text}\n`);
      return;
    } catch (error) {
      if (!isConflict(error) || attempt === ATTEMPTS) throw error;
    }
  }
}
