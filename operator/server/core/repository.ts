/**
 * The model repository on disk: `<model>/<version>/model.onnx`. It only looks: names, versions, whether the files
 * lie inside, and a fingerprint to see a change by. Hidden entries are passed over (a mounted ConfigMap is full of
 * them); any other entry that cannot be served is named with its reason instead of being ignored.
 */
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { ForesailError } from '../../errors.ts';
import { shown } from './errors.ts';

export interface FoundVersion {
  readonly version: string;
  /** Resolved, without links. */
  readonly modelPath: string;
  readonly goldenPath: string | undefined;
  /** Changes when one of the files changes. */
  readonly fingerprint: string;
}

export interface RefusedEntry {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
}

export interface FoundModel {
  readonly name: string;
  /** Oldest first. */
  readonly versions: readonly FoundVersion[];
  readonly refused: readonly RefusedEntry[];
}

export interface Repository {
  readonly models: ReadonlyMap<string, FoundModel>;
  /** Entries whose very name cannot be a model's. */
  readonly refused: readonly RefusedEntry[];
}

const MODEL_FILE = 'model.onnx';
const GOLDEN_FILE = 'golden.json';
const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const VERSION = /^[1-9][0-9]{0,14}$/;

export function isModelName(name: string): boolean {
  return MODEL_NAME.test(name);
}

export function isVersion(version: string): boolean {
  return VERSION.test(version);
}

export function compareVersions(a: string, b: string): number {
  return Number(a) - Number(b);
}

/** @throws REPOSITORY_UNREADABLE: a folder that cannot be read is not an empty one */
export async function scanRepository(root: string): Promise<Repository> {
  const names = await readdir(root).catch((cause: unknown) => {
    throw unreadable(root, cause);
  });
  const models = new Map<string, FoundModel>();
  const refused: RefusedEntry[] = [];
  for (const name of names.sort()) {
    // oxlint-disable-next-line no-await-in-loop -- few entries, and in a stable order
    if (name.startsWith('.') || !(await isFolder(join(root, name)))) continue;
    if (isModelName(name)) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      models.set(name, await scanModel(root, name));
    } else {
      const reason =
        'OddName: a model is named with letters, digits, ".", "_" and "-", 128 of them at most, first a letter or digit';
      refused.push({ name: shown(name), version: '', reason });
    }
  }
  return { models, refused };
}

/** @throws REPOSITORY_UNREADABLE */
export async function scanModel(root: string, name: string): Promise<FoundModel> {
  const realRoot = await realpath(root).catch((cause: unknown) => {
    throw unreadable(root, cause);
  });
  const folder = join(root, name);
  const entries = await readdir(folder).catch((cause: unknown) => {
    throw unreadable(folder, cause);
  });
  const versions: FoundVersion[] = [];
  const refused: RefusedEntry[] = [];
  for (const entry of entries) {
    // oxlint-disable-next-line no-await-in-loop -- few entries
    if (entry.startsWith('.') || !(await isFolder(join(folder, entry)))) continue;
    // oxlint-disable-next-line no-await-in-loop -- as above
    const found = isVersion(entry)
      ? await findVersion(realRoot, folder, entry)
      : 'OddName: a version is a whole number from 1 on, without leading zeros';
    if (typeof found === 'string') refused.push({ name, version: shown(entry), reason: found });
    else versions.push(found);
  }
  versions.sort((a, b) => compareVersions(a.version, b.version));
  return { name, versions, refused };
}

async function findVersion(
  realRoot: string,
  folder: string,
  version: string,
): Promise<FoundVersion | string> {
  const model = await fileInside(realRoot, join(folder, version, MODEL_FILE));
  if (model === undefined) return `Missing: there is no ${MODEL_FILE}`;
  if (model === 'outside') return `OutsideRepository: ${MODEL_FILE} is a link out of the repository`;
  const golden = await fileInside(realRoot, join(folder, version, GOLDEN_FILE));
  if (golden === 'outside') return `OutsideRepository: ${GOLDEN_FILE} is a link out of the repository`;
  return {
    version,
    modelPath: model.path,
    goldenPath: golden?.path,
    fingerprint: `${model.fingerprint} ${golden?.fingerprint ?? ''}`,
  };
}

/** Links inside the repository are followed (mounted volumes are made of them), links out of it are not. */
async function fileInside(
  realRoot: string,
  path: string,
): Promise<{ path: string; fingerprint: string } | 'outside' | undefined> {
  try {
    const real = await realpath(path);
    if (!real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) return 'outside';
    const info = await lstat(real);
    if (!info.isFile()) return undefined;
    return { path: real, fingerprint: `${real}:${info.ino}:${info.size}:${info.mtimeMs}` };
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw unreadable(path, error);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isAbsence(error)) return false;
    throw unreadable(path, error);
  }
}

/** Gone, or a link that leads nowhere; any other error leaves open what lies there. */
function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function unreadable(path: string, cause: unknown): ForesailError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'error';
  return new ForesailError('REPOSITORY_UNREADABLE', 'transient', `the folder cannot be read (${code})`, {
    subject: path,
    cause,
  });
}
