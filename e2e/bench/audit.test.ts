import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { isWrite } from '../../operator/testing/server-side.ts';
import { AuditTail, countByKind } from './audit.ts';

const line = (verb: string, objectRef: object | undefined, change: object = {}) =>
  JSON.stringify({
    stage: 'ResponseComplete',
    verb,
    user: { username: 'ours' },
    responseStatus: { code: 200 },
    objectRef,
    requestURI: '/version?timeout=1s',
    stageTimestamp: '2026-01-02T03:04:05.678901Z',
    ...change,
  });
const SCALE = { apiGroup: 'apps', resource: 'deployments', subresource: 'scale', name: 'web' };
const METRIC = { apiGroup: 'external.metrics.k8s.io', resource: 'load-web', namespace: 'n' };

test('reads what was appended, whole lines only, and counts it by kind', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'foresail-audit-'));
  try {
    const path = join(folder, 'audit.log');
    await writeFile(path, `${line('get', SCALE)}\n`);
    const tail = await AuditTail.atEnd(path);
    expect(await tail.read()).toEqual([]);

    const late = line('patch', SCALE);
    const begun = line('patch', SCALE, { stage: 'ResponseStarted' });
    await appendFile(
      path,
      `${line('list', METRIC)}\n${line('get', undefined)}\n${begun}\n${late.slice(0, 40)}`,
    );
    const first = await tail.read();
    expect([...countByKind(first)]).toEqual([
      ['list external metric', 1],
      ['get /version', 1],
    ]);
    expect(first[0]).toMatchObject({ user: 'ours', name: 'load-web', code: 200 });
    expect(first[0]?.doneMs).toBe(Date.UTC(2026, 0, 2, 3, 4, 5, 678));

    await appendFile(path, `${late.slice(40)}\n`);
    const second = await tail.read();
    expect([...countByKind(second)]).toEqual([['patch deployments/scale', 1]]);
    expect(second.map(isWrite)).toEqual([true]);
    expect(first.map(isWrite)).toEqual([false, false]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
