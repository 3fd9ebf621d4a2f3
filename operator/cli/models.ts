/** `foresail models VERB REGISTRY`: what a registry holds, and how a version gets into it. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { LABELS } from '../api/index.ts';
import { systemClock } from '../clock.ts';
import {
  EMPTY_INDEX,
  INDEX_KEY,
  indexText,
  type ModelIndex,
  moveAlias,
  parseIndex,
  publish,
  registryName,
} from '../registry/model-index.ts';
import {
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubeClient,
  type KubeObject,
  type ResourceRef,
} from '../runtime/index.ts';
import { table } from './text-table.ts';
import { withClient } from './with-client.ts';

const CONFIG_MAPS: ResourceRef = { group: '', version: 'v1', plural: 'configmaps', namespaced: true };
const DEADLINE_MS = 15_000;
/** Another publisher may be faster. */
const ATTEMPTS = 5;

interface Flags {
  readonly namespace: string;
  readonly kubeconfig?: string;
}

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
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
    withClient(flags.kubeconfig, async (client) => {
      const { index } = await read(client, registry, flags);
      process.stdout.write(`${listText(index)}\n`);
    }),
  );
  add('publish', 'add a version: a file in its store, and its digest')
    .addOption(new Option('--uri <uri>', 'where the file lies').makeOptionMandatory())
    .addOption(new Option('--sha256 <digest>', 'of the file').makeOptionMandatory())
    .option('--alias <alias>', 'that is to mean it from now on')
    .action((registry: string, flags: Flags & { uri: string; sha256: string; alias?: string }) =>
      change(registry, flags, (index) => {
        const { uri: storageUri, sha256, alias } = flags;
        const { index: added, version } = publish(index, { storageUri, sha256 }, systemClock.now());
        const named = alias === undefined ? added : moveAlias(added, alias, version);
        const means = alias === undefined ? '' : `, which ${alias} means now`;
        return { index: named, text: `${registry}: version ${version}${means}` };
      }),
    );
  add('alias', 'let an alias mean another version')
    .argument('<alias>', 'such as candidate')
    .argument('<version>', 'its number', versionNumber)
    .action((registry: string, alias: string, version: number, flags: Flags) =>
      change(registry, flags, (index) => ({
        index: moveAlias(index, alias, version),
        text: `${registry}: ${alias} means version ${version}`,
      })),
    );
  return models;
}

/** Newest first. */
export function listText({ versions, aliases }: ModelIndex): string {
  const aliasesOf = (version: number) =>
    Object.entries(aliases)
      .filter(([, meant]) => meant === version)
      .map(([alias]) => alias)
      .sort()
      .join(', ');
  const rows = versions
    .toSorted((a, b) => b.version - a.version)
    .map(({ version, sha256, createdAt = '', storageUri }) => [
      String(version),
      aliasesOf(version),
      sha256.slice(0, 12),
      createdAt,
      storageUri,
    ]);
  return rows.length === 0
    ? 'no version yet'
    : table(['VERSION', 'ALIASES', 'SHA256', 'CREATED', 'URI'], rows);
}

function versionNumber(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('must be the number of a version');
}

async function read(client: KubeClient, registry: string, { namespace }: Flags) {
  const key = { namespace, name: registryName(registry) };
  const found = await client
    .get<ConfigMap>(CONFIG_MAPS, key, AbortSignal.timeout(DEADLINE_MS))
    .catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  return { found, index: found === undefined ? EMPTY_INDEX : parseIndex(found.data?.[INDEX_KEY]) };
}

type Edit = (index: ModelIndex) => { readonly index: ModelIndex; readonly text: string };

function change(registry: string, flags: Flags, edit: Edit): Promise<void> {
  return withClient(flags.kubeconfig, async (client) => {
    for (let attempt = 1; ; attempt += 1) {
      // oxlint-disable-next-line no-await-in-loop -- each attempt looks anew
      const { found, index } = await read(client, registry, flags);
      const edited = edit(index);
      try {
        // oxlint-disable-next-line no-await-in-loop
        await write(client, registry, flags, found, edited.index);
        process.stdout.write(`${edited.text}\n`);
        return;
      } catch (error) {
        if (!(isConflict(error) || isAlreadyExists(error)) || attempt === ATTEMPTS) throw error;
      }
    }
  });
}

async function write(
  client: KubeClient,
  registry: string,
  { namespace }: Flags,
  found: ConfigMap | undefined,
  index: ModelIndex,
): Promise<void> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const labels = { [LABELS.registry]: registry };
  const data = { [INDEX_KEY]: indexText(index) };
  const name = registryName(registry);
  if (found === undefined) {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name, labels }, data };
    await client.create(CONFIG_MAPS, object, signal);
    return;
  }
  const { resourceVersion } = found.metadata;
  const version = resourceVersion === undefined ? {} : { resourceVersion };
  await client.mergePatch(CONFIG_MAPS, { namespace, name }, { metadata: { labels }, data }, version, signal);
}
