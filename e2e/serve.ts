/** Starts the real inference server as a process over a folder of models. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '..');
const ENDS_WITH_US = ['--import', join(import.meta.dirname, 'end-with-parent.ts')];

export interface ServerProcess {
  readonly url: string;
  stop(): Promise<void>;
}

/** @param repository holds `<model>/<version>/model.onnx` */
export async function startInferenceServer(repository: string): Promise<ServerProcess> {
  const where = ['--model-repository', repository, '--host', '127.0.0.1', '--http-port', '0', '--no-grpc'];
  const child = spawn(
    process.execPath,
    [...ENDS_WITH_US, join(ROOT, 'operator/cli/main.ts'), 'serve', ...where],
    {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'] },
    },
  );
  const url = await new Promise<string>((resolve, reject) => {
    const lines: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (line.includes('"serving"')) resolve((JSON.parse(line) as { http: string }).http);
    });
    child.once('exit', () => reject(new Error(`the server ended: ${lines.join('\n')}`)));
  });
  return {
    url,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
