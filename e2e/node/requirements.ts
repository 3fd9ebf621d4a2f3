/**
 * What a machine must have for a node with a real kubelet, asked before anything is built or started. It is a real
 * kubelet or nothing: where something is missing, one line says what.
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { ForesailError } from '../../operator/errors.ts';

/** Programs of the machine, with the Debian packages that hold them. The Go supervisor looks in the same folders. */
const PROGRAMS: readonly (readonly [program: string, debianPackage: string])[] = [
  ['runc', 'runc'],
  ['iptables', 'iptables'],
  ['ip', 'iproute2'],
  ['nsenter', 'util-linux'],
  ['mount', 'mount'],
  ['tar', 'tar'],
];
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export interface Machine {
  readonly uid: number;
  readonly has: (program: string) => boolean;
}

const THIS_MACHINE: Machine = {
  uid: process.getuid?.() ?? -1,
  has: (program) => FOLDERS.some((folder) => isProgram(join(folder, program))),
};

/** The reason why no real node can run here, as one line; undefined when it can. */
export function realNodeObstacle({ uid, has }: Machine = THIS_MACHINE): string | undefined {
  const missing = PROGRAMS.filter(([program]) => !has(program));
  const reasons = [
    ...(uid === 0 ? [] : ['root (it mounts, makes a network and starts containers)']),
    ...missing.map(([program]) => program),
  ];
  if (reasons.length === 0) return undefined;
  const install =
    missing.length === 0 ? '' : `; on Debian: apt-get install ${missing.map(([, name]) => name).join(' ')}`;
  return `a real node needs ${reasons.join(', ')}${install}`;
}

export function requireRealNode(): void {
  const obstacle = realNodeObstacle();
  if (obstacle !== undefined) throw new ForesailError('E2E_NO_REAL_NODE', 'terminal', obstacle);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
