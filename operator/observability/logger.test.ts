import { Writable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { ForesailError } from '../errors.ts';
import { createLogger } from './logger.ts';

async function linesOf(
  use: (log: ReturnType<typeof createLogger>) => void,
): Promise<Record<string, unknown>[]> {
  const chunks: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  use(createLogger('info', sink));
  await new Promise((resolve) => setImmediate(resolve));
  return chunks.map((line) => JSON.parse(line));
}

test('keys stand beside a constant message', async () => {
  const [line] = await linesOf((log) => log.info('scaled', { namespace: 'shop', replicas: 4 }));
  expect(line).toMatchObject({ level: 'info', message: 'scaled', namespace: 'shop', replicas: 4 });
});

test('an error is logged by its message, code and cause', async () => {
  const error = new ForesailError('KUBE_CONFLICT', 'conflict', 'object changed', { cause: new Error('409') });
  const [line] = await linesOf((log) => log.error('write failed', { error }));
  expect(line).toMatchObject({ error: 'object changed', errorCode: 'KUBE_CONFLICT', errorCause: '409' });
});

test('lines under the level are dropped', async () => {
  expect(await linesOf((log) => log.debug('noise'))).toEqual([]);
});
