/** `foresail models VERB REGISTRY`: what a registry holds, and how a version gets into it. */
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { systemClock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import { parseLineage } from '../gate/lineage.ts';
import { changeIndex, inRegistry, readIndex } from '../registry/index-store.ts';
import {
  dropAlias,
  EMPTY_INDEX,
  type ModelIndex,
  moveAlias,
  publish,
  versionOfAlias,
} from '../registry/model-index.ts';
import { entryOf, tagVersion } from '../registry/version-entry.ts';
import { gathered } from './flag-values.ts';
import { diffText, listText, showText } from './models-text.ts';
import { withClient } from './with-client.ts';

const DEADLINE_MS = 30_000;

interface Flags {
  readonly namespace: string;
  readonly kubeconfig?: string;
}

interface AliasFlags extends Flags {
  readonly delete?: boolean;
}

interface PublishFlags extends Flags {
  readonly uri: string;
  readonly sha256: string;
  readonly alias?: string;
  readonly lineage?: string;
  readonly report?: string;
  readonly tag?: readonly string[];
}

export function modelsCommand(): Command {
  const models = new Command('models').description('see and fill the registry of a model');
  const add = (name: string, description: string) =>
    models
      .command(name)
      .description(description)
      .argument('<registry>', 'name of the registered model')
      .option('-n, --namespace <namespace>', 'its namespace', 'default')
      .option('--kubeconfig <file>', 'default: KUBECONFIG or ~/.kube/config');
  add('list', 'say which versions there are').action((registry: string, flags: Flags) =>
    tell(registry, flags, listText),
  );
  add('show', 'say what is known of a version: aliases, tags, lineage, scores')
    .argument('<version>', 'its number, or an alias')
    .action((registry: string, version: string, flags: Flags) =>
      tell(registry, flags, (index) => showText(known(index), numberOf(index, version))),
    );
  add('diff', 'say what changed between two versions, in lineage and in scores')
    .argument('<before>', 'number or alias of the older one')
    .argument('<after>', 'number or alias of the newer one')
    .action((registry: string, before: string, after: string, flags: Flags) =>
      tell(registry, flags, (index) =>
        diffText(known(index), numberOf(index, before), numberOf(index, after)),
      ),
    );
  add('tag', 'write on a version for people and their programs; name= takes a tag away')
    .argument('<version>', 'its number, or an alias')
    .argument('<tags...>', 'as name=value')
    .action((registry: string, named: string, tags: readonly string[], flags: Flags) =>
      change(registry, flags, (index) => {
        const version = numberOf(known(index), named);
        return {
          index: tagVersion(index, version, tagsOf(tags)),
          text: `${registry}: version ${version} is tagged`,
        };
      }),
    );
  add('publish', 'add a version: a file in its store, and its digest')
    .addOption(new Option('--uri <uri>', 'where the file lies').makeOptionMandatory())
    .addOption(new Option('--sha256 <digest>', 'of the file').makeOptionMandatory())
    .option('--alias <alias>', 'that is to mean it from now on')
    .option('--lineage <file>', 'lineage.json that lies beside it; what matters of it goes into the registry')
    .option('--report <file>', 'report of foresail gate; its scores go into the registry')
    .option('--tag <name=value>', 'may be given several times', gathered)
    .action(publishOne);
  add('alias', 'let an alias mean another version, or none')
    .argument('<alias>', 'such as candidate')
    .argument('[version]', 'its number', versionNumber)
    .option('--delete', 'take the alias away; the version stays')
    .action((registry: string, alias: string, version: number | undefined, flags: AliasFlags) => {
      const edit = aliasEdit(registry, alias, version, flags.delete === true);
      return change(registry, flags, (index) => edit(known(index)));
    });
  return models;
}

/** @throws OPTION_INVALID when it is not said what the alias is to mean */
function aliasEdit(registry: string, alias: string, version: number | undefined, gone: boolean): Edit {
  if (gone === (version !== undefined))
    throw new ForesailError('OPTION_INVALID', 'terminal', `${alias}: name either a version or --delete`, {
      subject: 'version',
    });
  if (version === undefined)
    return (index) => ({
      index: dropAlias(index, alias),
      text: `${registry}: ${alias} is gone; it meant version ${versionOfAlias(index, alias)}`,
    });
  return (index) => ({
    index: moveAlias(index, alias, version),
    text: `${registry}: ${alias} means version ${version}`,
  });
}

async function publishOne(registry: string, flags: PublishFlags): Promise<void> {
  const entry = await entryFrom(flags);
  await change(registry, flags, (index) => {
    const { index: added, version } = publish(index, entry, systemClock.now());
    const { alias, tag } = flags;
    // A file that is there already keeps what stands beside it; what was typed now is meant.
    const tagged = tag === undefined ? added : tagVersion(added, version, tagsOf(tag));
    const named = alias === undefined ? tagged : moveAlias(tagged, alias, version);
    const means = alias === undefined ? '' : `, which ${alias} means now`;
    return { index: named, text: `${registry}: version ${version}${means}` };
  });
}

async function entryFrom({ uri: storageUri, sha256, lineage, report, tag }: PublishFlags) {
  const tags = tag === undefined ? {} : { tags: definedOf(tagsOf(tag)) };
  if (lineage === undefined && report === undefined) return { storageUri, sha256, ...tags };
  const known = lineage === undefined ? undefined : parseLineage(await readFile(lineage, 'utf8'), lineage);
  if (known !== undefined && known.sha256 !== sha256)
    throw new ForesailError(
      'LINEAGE_INVALID',
      'terminal',
      `${lineage ?? ''} is of another file: ${known.sha256}`,
      {
        subject: '--lineage',
      },
    );
  const scores = report === undefined ? {} : await scoresOf(report);
  const { lineageUri, ...entry } = entryOf({ storageUri, sha256, lineage: known ?? {}, scores, ...tags });
  return lineage === undefined ? entry : { ...entry, lineageUri };
}

const reportSchema = z.looseObject({ scores: z.record(z.string(), z.number().nullable()).nullable() });

async function scoresOf(file: string): Promise<Record<string, number | null>> {
  const text = await readFile(file, 'utf8');
  const result = reportSchema.safeParse(jsonOf(text));
  if (result.success) return result.data.scores ?? {};
  throw new ForesailError('REPORT_INVALID', 'terminal', `${file} is no report of foresail gate`, {
    subject: '--report',
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function tagsOf(tags: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(
    tags.map((tag) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(tag) ?? [];
      if (name === undefined)
        throw new ForesailError('OPTION_INVALID', 'terminal', `"${tag}" is no name=value`, {
          subject: 'tags',
        });
      return [name, value === '' ? undefined : value];
    }),
  );
}

function definedOf(tags: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tags).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

function tell(registry: string, flags: Flags, textOf: (index: ModelIndex) => string): Promise<void> {
  return withClient(flags.kubeconfig, async (client) => {
    const key = { namespace: flags.namespace, registry };
    const index = await readIndex(client, key, AbortSignal.timeout(DEADLINE_MS));
    process.stdout.write(`${inRegistry(key, () => textOf(index))}\n`);
  });
}

type Edit = (index: ModelIndex) => { readonly index: ModelIndex; readonly text: string };

function change(registry: string, { namespace, kubeconfig }: Flags, edit: Edit): Promise<void> {
  return withClient(kubeconfig, async (client) => {
    const { text } = await changeIndex(
      client,
      { namespace, registry },
      edit,
      AbortSignal.timeout(DEADLINE_MS),
    );
    process.stdout.write(`${text}\n`);
  });
}

function versionNumber(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('must be the number of a version');
}

/** @throws REGISTRY_INVALID for one that is not there, rather than for the version that it therefore lacks */
function known(index: ModelIndex): ModelIndex {
  if (index !== EMPTY_INDEX) return index;
  const message = 'is not there; foresail models publish makes one';
  throw new ForesailError('REGISTRY_INVALID', 'terminal', message);
}

/** @throws REGISTRY_INVALID when it is neither a number nor an alias */
function numberOf(index: ModelIndex, named: string): number {
  const version = /^[1-9][0-9]{0,8}$/.test(named) ? Number(named) : versionOfAlias(index, named);
  if (version !== undefined) return version;
  throw new ForesailError('REGISTRY_INVALID', 'terminal', `"${named}" is neither a number nor an alias`, {
    subject: 'version',
  });
}
