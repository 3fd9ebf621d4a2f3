/** `foresail train VERB NAME`: how TrainingJobs stand, a run at once, and a person's hold on them. */
import { Command } from 'commander';
import { parseTrainingJob, TRAINING_JOB, type TrainingJob } from '../api/index.ts';
import { messageOf } from '../errors.ts';
import { isAlreadyExists, isNotFound, type KubeClient, type KubeObject } from '../runtime/index.ts';
import { oneOf } from './flag-values.ts';
import { manualRun } from './train-now.ts';
import { trainList, trainText } from './train-text.ts';
import { withClient } from './with-client.ts';

const REF = {
  group: TRAINING_JOB.group,
  version: TRAINING_JOB.version,
  plural: TRAINING_JOB.plural,
  namespaced: true,
};
const DEADLINE_MS = 15_000;

interface Flags {
  readonly namespace: string;
  readonly kubeconfig?: string;
  readonly output?: 'text' | 'json';
}

export function trainCommand(): Command {
  const train = new Command('train').description('see and steer TrainingJobs');
  const add = (name: string, description: string) =>
    train
      .command(name)
      .description(description)
      .option('-n, --namespace <namespace>', 'its namespace', 'default')
      .option('--kubeconfig <file>', 'default: KUBECONFIG or ~/.kube/config');
  const about = (name: string, description: string, work: Work) =>
    add(name, description)
      .argument('<name>', 'name of the TrainingJob')
      .action((job: string, flags: Flags) =>
        withClient(flags.kubeconfig, (client) => work(client, job, flags)),
      );
  const output = (command: Command) =>
    command.option('-o, --output <form>', 'text or json', oneOf(['text', 'json']), 'text');
  output(about('status', 'say how a run stands, or which runs were made', showStatus));
  about('now', 'start a run of one that has a schedule or triggers, whatever cool-down and budget say', now);
  about('suspend', 'let its pods write a checkpoint and end; start nothing', (client, name, flags) =>
    hold(client, name, flags, true),
  );
  about('resume', 'go on from the newest checkpoint', (client, name, flags) =>
    hold(client, name, flags, false),
  );
  output(add('list', 'list the TrainingJobs of a namespace')).action((flags: Flags) =>
    withClient(flags.kubeconfig, (client) => list(client, flags)),
  );
  return train;
}

type Work = (client: KubeClient, name: string, flags: Flags) => Promise<void>;

async function read(client: KubeClient, name: string, { namespace }: Flags): Promise<TrainingJob> {
  return parseTrainingJob(await client.get(REF, { namespace, name }, deadline()));
}

async function showStatus(client: KubeClient, name: string, flags: Flags): Promise<void> {
  const object = await read(client, name, flags);
  say(flags.output === 'json' ? JSON.stringify(object.status ?? {}, null, 2) : trainText(object, Date.now()));
}

async function list(client: KubeClient, flags: Flags): Promise<void> {
  const { namespace } = flags;
  const { items } = await client.list<KubeObject>(REF, { namespace }, deadline());
  if (flags.output === 'json') return say(JSON.stringify(items, null, 2));
  const objects: TrainingJob[] = [];
  const invalid: string[] = [];
  for (const item of items)
    try {
      objects.push(parseTrainingJob(item));
    } catch (error) {
      // One that cannot be read hides no other.
      invalid.push(`${item.metadata.name}: ${messageOf(error)}`);
    }
  say([trainList(objects), ...invalid].join('\n'));
}

async function now(client: KubeClient, name: string, flags: Flags): Promise<void> {
  const { namespace } = flags;
  const { run, replaced } = manualRun(await read(client, name, flags), Date.now());
  try {
    await client.create(REF, run, deadline());
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    say(`${run.metadata.name}: was started in this minute already`);
    return;
  }
  await Promise.all(
    replaced.map((old) =>
      client.delete(REF, { namespace, name: old }, {}, deadline()).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      }),
    ),
  );
  const gone = replaced.length === 0 ? '' : `, in place of ${replaced.join(', ')}`;
  say(`${run.metadata.name}: started${gone}\n  foresail train status ${run.metadata.name} -n ${namespace}`);
}

async function hold(client: KubeClient, name: string, flags: Flags, suspend: boolean): Promise<void> {
  const { namespace } = flags;
  await client.mergePatch(REF, { namespace, name }, { spec: { suspend } }, {}, deadline());
  say(`${name}: ${suspend ? 'suspended' : 'resumed'}`);
}

function deadline(): AbortSignal {
  return AbortSignal.timeout(DEADLINE_MS);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
