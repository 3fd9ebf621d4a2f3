/** Runs a program to its end, and ends it with us: a signal that we get is passed on to all of its processes. */
import { type SpawnOptions, spawn } from 'node:child_process';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Then it is killed: whoever interrupts does not want to wait for a runner that hangs. */
const PATIENCE_MS = 20_000;

export interface Ended {
  readonly code: number;
  /** Which of the signals ended it through us. */
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
}

export interface ChildOptions extends Pick<SpawnOptions, 'cwd' | 'env'> {
  /** What it writes to stdout, as it comes. */
  readonly show?: (chunk: Buffer) => void;
  /** What it writes to stderr; absent: it writes to ours. */
  readonly showErrors?: (chunk: Buffer) => void;
  readonly patienceMs?: number;
}

export function runChild(
  [program = '', ...args]: readonly string[],
  options: ChildOptions = {},
): Promise<Ended> {
  const { show = () => undefined, showErrors, patienceMs = PATIENCE_MS, ...spawning } = options;
  return new Promise((resolve, reject) => {
    // A process group of its own: the terminal's Ctrl-C reaches us alone, and one signal reaches all of it, once.
    const child = spawn(program, args, {
      ...spawning,
      stdio: ['ignore', 'pipe', showErrors === undefined ? 'inherit' : 'pipe'],
      detached: true,
    });
    let stdout = '';
    let signal: NodeJS.Signals | undefined;
    let patience: NodeJS.Timeout | undefined;
    const send = (name: NodeJS.Signals): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name);
      } catch {
        // It has just ended.
      }
    };
    const pass = (name: NodeJS.Signals): void => {
      signal = name;
      send(name);
      patience ??= setTimeout(() => send('SIGKILL'), patienceMs);
    };
    for (const name of SIGNALS) process.on(name, pass);
    const settle = (): void => {
      clearTimeout(patience);
      for (const name of SIGNALS) process.removeListener(name, pass);
    };
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk;
      show(chunk);
    });
    child.stderr?.on('data', (chunk: Buffer) => showErrors?.(chunk));
    child.on('error', (error) => {
      settle();
      reject(error);
    });
    child.on('close', (code) => {
      settle();
      resolve({ code: code ?? 1, signal, stdout });
    });
  });
}
