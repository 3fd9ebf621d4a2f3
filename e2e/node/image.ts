/**
 * Container images without a container engine: folders become layers, layers and a configuration become an archive
 * that `ctr images import` takes.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A tar of files as they lie below `/` in a container. */
export interface Layer {
  readonly path: string;
  /** Of the tar, uncompressed: `sha256:…`. */
  readonly diffId: string;
}

export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly env?: readonly string[];
  /** "uid:gid"; default root. */
  readonly user?: string;
  readonly workingDir?: string;
}

export interface LayerOptions {
  /** Patterns of paths to leave out, as tar's --exclude takes them. */
  readonly exclude?: readonly string[];
  /** Where symbolic links lead instead of the links. */
  readonly followLinks?: boolean;
}

/** `path` gets the contents of `folder`; the same contents give the same bytes. */
export async function makeLayer(
  folder: string,
  path: string,
  { exclude = [], followLinks = false }: LayerOptions = {},
  signal?: AbortSignal,
): Promise<Layer> {
  const args = [
    '--create',
    `--file=${path}`,
    '--format=gnu',
    '--sort=name',
    '--mtime=@0',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=a+rX',
    ...(followLinks ? ['--dereference'] : []),
    ...exclude.map((pattern) => `--exclude=${pattern}`),
    `--directory=${folder}`,
    '.',
  ];
  await run('tar', args, { signal });
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return { path, diffId: `sha256:${hash.digest('hex')}` };
}

/** Writes the archive of an image called `name` (with a tag) to `file`. */
export async function writeImage(
  file: string,
  name: string,
  layers: readonly Layer[],
  config: ImageConfig,
  signal?: AbortSignal,
): Promise<void> {
  const staging = await mkdtemp(`${file}-`);
  try {
    const description = JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {
        Entrypoint: config.entrypoint,
        Env: ['PATH=/usr/local/bin:/usr/bin:/bin', ...(config.env ?? [])],
        ...(config.user !== undefined && { User: config.user }),
        ...(config.workingDir !== undefined && { WorkingDir: config.workingDir }),
      },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    });
    const configName = `${createHash('sha256').update(description).digest('hex')}.json`;
    await writeFile(join(staging, configName), description);
    const layerNames = layers.map(({ diffId }) => `${diffId.slice('sha256:'.length)}.tar`);
    for (const [i, { path }] of layers.entries()) await linkOrCopy(path, join(staging, layerNames[i] ?? ''));
    const manifest = [{ Config: configName, RepoTags: [name], Layers: layerNames }];
    await writeFile(join(staging, 'manifest.json'), JSON.stringify(manifest));
    const names = ['manifest.json', configName, ...new Set(layerNames)];
    const half = join(staging, 'archive');
    await run('tar', ['--create', `--file=${half}`, `--directory=${staging}`, ...names], { signal });
    await rename(half, file);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/**
 * Puts programs (target → source) into a folder, with the libraries that the loader says they need; also those that
 * `loaded`, libraries which they load while they run, need in turn.
 */
export async function addPrograms(
  folder: string,
  programs: Readonly<Record<string, string>>,
  loaded: readonly string[] = [],
  signal?: AbortSignal,
): Promise<void> {
  const sources = Object.entries(programs);
  const needing = [...sources.map(([, source]) => source), ...loaded];
  const libraries = await Promise.all(needing.map((source) => librariesOf(source, signal)));
  const files = new Map([...sources, ...libraries.flat().map((path) => [path, path] as const)]);
  for (const [target, source] of files) {
    await mkdir(dirname(join(folder, target)), { recursive: true });
    await linkOrCopy(source, join(folder, target));
  }
}

/** Absolute paths of the shared libraries of a program or library, the loader among them. */
async function librariesOf(path: string, signal?: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await run('ldd', [path], { signal });
  const missing = /^\s*(\S+) => not found/m.exec(stdout)?.[1];
  if (missing !== undefined) throw new Error(`${path} needs ${missing}, which this machine does not have`);
  return [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, library = '']) => library);
}

/** A link costs nothing; another file system needs a copy. */
async function linkOrCopy(source: string, target: string): Promise<void> {
  const file = await realpath(source); // a link to a symbolic link would be one itself
  await link(file, target).catch(() => copyFile(file, target));
}
