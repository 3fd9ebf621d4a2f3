/**
 * What stands around a model's child process. Always: an empty environment, its own heap limit, no file system or
 * process rights for its script, a watch on its memory by the parent. Where the machine offers them also: a hard
 * limit on memory (prlimit) and a network namespace without interfaces (unshare).
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export interface Sandbox {
  readonly command: string;
  readonly args: readonly string[];
  /** For the log: which of the machine's own walls are in use. */
  readonly walls: readonly ('memory' | 'network')[];
}

const ENTRY = fileURLToPath(new URL('./child-main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Where the packages really lie: `node_modules` may be a link, and Node asks for rights on what it points to. */
const PACKAGES = createRequire(import.meta.url)
  .resolve('onnxruntime-node')
  .replace(/(?<=\/node_modules\/).*/s, '');
const HEAP_MIB = 192;
/** What Node itself reserves (code ranges of two isolates, thread stacks) and never touches. */
const NODE_RESERVE_MIB = 1024;

let tools: { prlimit: string | undefined; unshare: string | undefined } | undefined;

/** @param entry script of the child, inside the operator's own folder */
export function childCommand(memoryMiB: number, entry: string = ENTRY): Sandbox {
  tools ??= { prlimit: working('prlimit', ['--data=1073741824']), unshare: working('unshare', ['-rn']) };
  const node = [
    process.execPath,
    `--max-old-space-size=${HEAP_MIB}`,
    '--permission',
    '--allow-addons',
    '--allow-worker',
    `--allow-fs-read=${ROOT}*`,
    `--allow-fs-read=${PACKAGES}*`,
    '--disable-warning=SecurityWarning',
    entry,
  ];
  const argv = [...node];
  const walls: Sandbox['walls'][number][] = [];
  if (tools.unshare !== undefined) {
    argv.unshift(tools.unshare, '-rn', '--');
    walls.push('network');
  }
  if (tools.prlimit !== undefined) {
    argv.unshift(
      tools.prlimit,
      `--data=${(memoryMiB + NODE_RESERVE_MIB) * 1024 * 1024}`,
      '--core=0',
      '--fsize=0',
      '--',
    );
    walls.push('memory');
  }
  const [command = process.execPath, ...args] = argv;
  return { command, args, walls };
}

/** The program's path when it exists and does what we ask of it on this machine. */
function working(name: string, args: readonly string[]): string | undefined {
  for (const folder of ['/usr/bin', '/bin']) {
    const path = `${folder}/${name}`;
    if (!existsSync(path)) continue;
    const trial = spawnSync(path, [...args, '--', '/bin/true'], { stdio: 'ignore', timeout: 2000, env: {} });
    if (trial.status === 0) return path;
  }
  return undefined;
}
