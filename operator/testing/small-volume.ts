/** A small file system of one's own, in namespaces that no privilege is needed for where the kernel allows that. */
import { execFileSync } from 'node:child_process';

const UNSHARE = ['unshare', '--map-root-user', '--mount', 'sh', '-c'];

export const smallVolumes = ((): boolean => {
  try {
    const [program = '', ...args] = UNSHARE;
    execFileSync(program, [...args, 'mount -t tmpfs none /mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/**
 * @param folder where only this command sees the volume
 * @param size as tmpfs takes it
 * @returns a command that ends with the exit code of the one within, and writes the names of all files that it has left
 *   on the volume
 */
export function onSmallVolume(folder: string, size: string, command: readonly string[]): string[] {
  const script = `mount -t tmpfs -o size=${size} none "$0" && { "$@"; code=$?; find "$0" -type f; exit $code; }`;
  return [...UNSHARE, script, folder, ...command];
}
