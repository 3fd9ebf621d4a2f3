/** Prometheus beside the cluster: history filled in before, targets added while it runs, and its own death. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { binary, ensureBinaries } from './binaries.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { eventually } from './eventually.ts';

const HISTORY_START = Math.floor(Date.now() / 1000) - 3 * 86_400;

let folder: string;
let cluster: Cluster;
let target: Server;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-history-'));
  const data = join(folder, 'data');
  const samples = Array.from({ length: 60 }, (_, i) => `requests_per_second ${i} ${HISTORY_START + i * 60}`);
  await writeFile(
    join(folder, 'history.om'),
    `# TYPE requests_per_second gauge\n${samples.join('\n')}\n# EOF\n`,
  );
  const promtool = binary(await ensureBinaries(['prometheus']), 'promtool');
  await promisify(execFile)(promtool, [
    'tsdb',
    'create-blocks-from',
    'openmetrics',
    join(folder, 'history.om'),
    data,
  ]);
  // The cluster's user has to reach the data through this folder.
  await promisify(execFile)('chmod', ['755', folder]);
  target = createServer((_, response) => {
    // Prometheus 3 does not guess the format.
    response.setHeader('content-type', 'text/plain; version=0.0.4').end('answer 42\n');
  });
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  cluster = await startCluster({ prometheus: { dataDir: data } });
}, 120_000);

afterAll(async () => {
  target?.closeAllConnections();
  target?.close();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function query(text: string, time?: number): Promise<string | undefined> {
  const url = new URL('/api/v1/query', cluster.prometheusUrl);
  url.searchParams.set('query', text);
  if (time !== undefined) url.searchParams.set('time', String(time));
  const body = (await (await fetch(url)).json()) as { data: { result: { value: [number, string] }[] } };
  return body.data.result[0]?.value[1];
}

describe('Prometheus', () => {
  test('holds the history it was given', async () => {
    expect(await query('requests_per_second', HISTORY_START + 10 * 60)).toBe('10');
    expect(await query('count_over_time(requests_per_second[2h])', HISTORY_START + 3600)).toBe('60');
  });

  test('scrapes a target that was added while it runs', async () => {
    const { port } = target.address() as AddressInfo;
    const path = join(cluster.prometheusTargetsDir ?? '', 'answer.json');
    await writeFile(path, JSON.stringify([{ targets: [`127.0.0.1:${port}`], labels: { app: 'web' } }]), {
      mode: 0o644,
    });
    await eventually('scraped', async () => (await query('answer{app="web"}')) === '42');
  }, 60_000);

  test('comes back after a kill -9 at the same address with its history', async () => {
    await cluster.process('prometheus').kill();
    await expect(query('up')).rejects.toThrow('fetch failed');
    await cluster.process('prometheus').start();
    expect(await query('requests_per_second', HISTORY_START + 10 * 60)).toBe('10');
  }, 60_000);
});
