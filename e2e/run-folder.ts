/**
 * The private folder of one cluster. Nothing in a test cluster needs root; started by root, everything
 * runs as `nobody` instead, for whom the folder is made and the programs are linked into it (root's home,
 * where they are cached, is closed to others).
 */
import { chmod, chown, copyFile, link, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Binaries } from './binaries.ts';

export interface User {
  readonly uid: number;
  readonly gid: number;
}

export interface RunFolder {
  readonly dir: string;
  /** Whom to run as; absent: as ourselves. */
  readonly user: User | undefined;
  /** Where the programs can be run by that user. */
  readonly binaries: Binaries;
}

const NOBODY: User = { uid: 65534, gid: 65534 };
const PREFIX = 'foresail-cluster-';

/** Whom the processes of a cluster without a real node run as; undefined: as ourselves. */
export function clusterUser(): User | undefined {
  return process.getuid?.() === 0 ? NOBODY : undefined;
}

export async function makeRunFolder(
  binaries: Binaries,
  user: User | undefined,
  root = tmpdir(),
): Promise<RunFolder> {
  await removeStale(root);
  const dir = await mkdtemp(join(root, PREFIX));
  if (user === undefined) return { dir, user, binaries };
  const bin = join(dir, 'bin');
  await mkdir(bin, { mode: 0o755 });
  const linked = new Map<string, string>();
  for (const [name, path] of binaries) {
    const target = join(bin, name);
    // A hard link costs nothing; another file system needs a copy.
    await link(path, target).catch(() => copyFile(path, target));
    linked.set(name, target);
  }
  await chown(bin, user.uid, user.gid);
  await chown(dir, user.uid, user.gid);
  return { dir, user, binaries: linked };
}

/** Gives a data folder to the user of the cluster, file by file. */
export async function giveTo(user: User, path: string): Promise<void> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  for (const entry of entries) await chown(join(entry.parentPath, entry.name), user.uid, user.gid);
  await chown(path, user.uid, user.gid);
}

/** Folders of our own whose supervisor was killed: it could not remove them itself. */
async function removeStale(root: string): Promise<void> {
  const names = (await readdir(root)).filter((name) => name.startsWith(PREFIX));
  for (const name of names) {
    const dir = join(root, name);
    try {
      const state = JSON.parse(await readFile(join(dir, 'supervisor.json'), 'utf8')) as {
        pid: number;
        keep: boolean;
      };
      if (!state.keep && !(await runsIn(state.pid, dir))) await rm(dir, { recursive: true, force: true });
    } catch {
      // Just being made, or not ours to read.
    }
  }
}

/** Whether `pid` is a process whose command line names `dir`: a number alone may have been given anew. */
export async function runsIn(pid: number, dir: string): Promise<boolean> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(dir);
  } catch {
    return false;
  }
}

/** Makes a folder tree that only its owner may enter. */
export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
}
