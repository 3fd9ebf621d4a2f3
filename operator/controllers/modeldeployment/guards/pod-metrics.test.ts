import { afterEach, expect, test } from '@jest/globals';
import { type Clock, systemClock } from '../../../clock.ts';
import {
  type Script,
  type ScriptedServer,
  scriptedServer,
} from '../../../metricsources/testing/scripted-server.ts';
import type { AddressClass } from '../../../net/address.ts';
import { type CounterReader, createCounterReader } from './pod-metrics.ts';

const GOOD = 'process_start_time_seconds 5\n';
const never = new AbortController().signal;
let reader: CounterReader | undefined;
let server: ScriptedServer | undefined;

interface How {
  readonly allowed?: readonly AddressClass[];
  readonly clock?: Pick<Clock, 'after'>;
  readonly signal?: AbortSignal;
}

/** A deadline that a test can wait for. */
const IMPATIENT = { after: (_: number, work: () => void) => systemClock.after(300, work) };

afterEach(async () => {
  await reader?.close();
  await server?.[Symbol.asyncDispose]();
});

async function asked(
  script: Script,
  { allowed = ['loopback'], clock = systemClock, signal = never }: How = {},
) {
  server = await scriptedServer(script);
  const { port } = server;
  reader = createCounterReader({ apiServers: () => [], clock, port, allowed });
  return await reader.read({ address: '127.0.0.1', model: 'loadcast', version: 1 }, signal);
}

const answer =
  (status: number, body: string, headers: Record<string, string> = {}): Script =>
  (response) => {
    response.writeHead(status, headers).end(body);
  };

test('a pod says what its server counts', async () => {
  expect(await asked(answer(200, GOOD))).toMatchObject({ startedAt: 5 });
  expect(server?.asked.map(({ path, headers }) => [path, headers['authorization']])).toEqual([
    ['/metrics', undefined],
  ]);
});

test.each<[string, Script]>([
  ['an error', answer(500, GOOD)],
  ['a redirect, which is not followed', answer(302, GOOD, { location: '/metrics' })],
  ['a page', answer(200, '<html>')],
  ['a body without an end', (response) => void response.writeHead(200).write(GOOD)],
  ['a huge body', answer(200, GOOD + '#'.repeat(2 * 1024 * 1024))],
  ['silence', () => undefined],
  ['a cut', (response) => void response.destroy()],
])('%s is not known', async (_, script) => {
  expect(await asked(script, { clock: IMPATIENT })).toBeUndefined();
});

test('an address that the operator must not ask is not connected', async () => {
  expect(await asked(answer(200, GOOD), { allowed: [] })).toBeUndefined();
  expect(server?.connections()).toBe(0);
});

test('an abort is the caller’s own', async () => {
  await expect(asked(answer(200, GOOD), { signal: AbortSignal.abort(new Error('over')) })).rejects.toThrow(
    'over',
  );
});
