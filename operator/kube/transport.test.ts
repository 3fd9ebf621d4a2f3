/** Credentials that change while the process lives. */
import { afterEach, expect, test } from '@jest/globals';
import { FakeClock } from '../testing/fake-clock.ts';
import { type FaultProxy, startFaultProxy } from '../testing/fault-proxy.ts';
import type { Credentials } from './connection.ts';
import { Transport } from './transport.ts';

const signal = new AbortController().signal;
const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const each of cleanup.splice(0)) await each();
});

async function scene(): Promise<{
  proxy: FaultProxy;
  clock: FakeClock;
  transport: Transport;
  set: (next: Credentials | Error) => void;
  call: () => Promise<number>;
}> {
  const proxy = await startFaultProxy(undefined, () => ({ kind: 'answer', status: 200, body: '{}' }));
  const clock = new FakeClock();
  let current: Credentials | Error = { headers: { authorization: 'Bearer one' }, tls: {} };
  const transport = new Transport(
    {
      server: proxy.url,
      namespace: 'default',
      credentials: () => (current instanceof Error ? Promise.reject(current) : Promise.resolve(current)),
    },
    { clock },
  );
  cleanup.push(
    () => transport.close(),
    async () => proxy[Symbol.asyncDispose](),
  );
  return {
    proxy,
    clock,
    transport,
    set(next) {
      current = next;
    },
    async call() {
      const response = await transport.send({ method: 'GET', path: '/version', headers: {} }, signal);
      await response.body.text();
      return response.status;
    },
  };
}

test('a rotated token is used within 60 s', async () => {
  const { proxy, clock, set, call } = await scene();
  await call();
  set({ headers: { authorization: 'Bearer two' }, tls: {} });
  await clock.advance(60_000);
  await call();
  expect(proxy.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer two']);
});

test('it is not read for every call', async () => {
  const { proxy, set, call } = await scene();
  await call();
  set({ headers: { authorization: 'Bearer two' }, tls: {} });
  await call();
  expect(proxy.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer one']);
});

test('a file that cannot be read for a moment fails that call only', async () => {
  const { clock, set, call } = await scene();
  await call();
  await clock.advance(60_000);
  set(new Error('no such file'));
  await expect(call()).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE', retry: 'transient' });
  set({ headers: {}, tls: {} });
  expect(await call()).toBe(200);
});

test('a new CA makes new connections, and calls on the old ones end in peace', async () => {
  const { proxy, clock, set, transport, call } = await scene();
  const gate = Promise.withResolvers<void>();
  proxy.rule = ({ path }) =>
    path === '/slow' ? { kind: 'hold', until: gate.promise } : { kind: 'answer', status: 200, body: '{}' };
  const slow = transport.send({ method: 'GET', path: '/slow', headers: {} }, signal);
  await clock.advance(60_000);
  set({ headers: {}, tls: { servername: 'other' } });
  expect(await call()).toBe(200);
  gate.resolve();
  expect((await slow).status).toBe(404); // there is nothing behind this proxy
});
