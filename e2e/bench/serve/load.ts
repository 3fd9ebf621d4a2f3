/** Runs the load generator on its own core, and looks at the server's CPU time exactly while it measures. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Question } from './questions.ts';
import type { Server } from './server.ts';

export interface LoadOptions {
  readonly program: string;
  readonly core: number;
  readonly clients: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** Of an open loop, per second; absent: a closed loop. */
  readonly rate?: number;
}

/** What the generator counted. */
interface Counted {
  readonly seconds: number;
  /** Answers by status; "ok" is one of them. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Refusals that say when to come back. */
  readonly retryAfter: number;
  /** Open loop: arrivals that found every connection busy. */
  readonly unsent: number;
  /** Answers that are ok: bucket i holds those of 1.01^i to 1.01^(i+1) microseconds. */
  readonly histogram: Readonly<Record<string, number>>;
  readonly errors?: Readonly<Record<string, number>>;
}

interface Result extends Counted {
  /** Of the generator. */
  readonly cpuSeconds: number;
}

export interface Sample extends Counted {
  readonly serverCpuSeconds: number;
  readonly loadCpuSeconds: number;
  readonly rssMiB: number;
}

/** @throws when the generator fails, or the signal's reason */
export async function runLoad(
  server: Server,
  question: Question,
  { program, core, ...options }: LoadOptions,
  signal: AbortSignal,
): Promise<Sample> {
  const child = spawn('taskset', ['-c', String(core), program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // The generator is to take the core that it was given and no threads beyond.
    env: { PATH: process.env['PATH'], GOMAXPROCS: '1', GOGC: '400' },
    signal,
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  child.stdin.end(
    JSON.stringify({
      wire: question.wire,
      address: question.wire === 'grpc' ? server.grpcAddress : server.httpAddress,
      path: question.path,
      headers: question.headers,
      bodies: question.bodies.map((body) => body.toString('base64')),
      ...options,
    }),
  );
  let before = Number.NaN;
  let after = { cpuSeconds: Number.NaN, rssMiB: Number.NaN };
  let result: Result | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line) as { readonly event?: string } & Result;
    if (message.event === 'measuring') before = server.usage().cpuSeconds;
    else if (message.event === 'measured') after = server.usage();
    else result = message;
  }
  const code = await ended;
  if (code !== 0 || result === undefined) throw new Error(`the load generator ended with ${code}`);
  const { cpuSeconds, ...counted } = result;
  return {
    ...counted,
    serverCpuSeconds: after.cpuSeconds - before,
    loadCpuSeconds: cpuSeconds,
    rssMiB: after.rssMiB,
  };
}
