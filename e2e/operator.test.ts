import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ClusterFacts } from './cluster.ts';
import { startOperator } from './operator.ts';

/** An operator that does nothing but end: the real one takes long to find out that it cannot start. */
const DYING = `process.stderr.write('{"message":"dying"}\\n'); process.exitCode = 3;`;
/** Starting it asks for no more of a cluster. */
const NOWHERE = { kubeconfigPath: '/nowhere' } as ClusterFacts;

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'foresail-dying-'));
  await mkdir(join(root, 'operator'));
  await writeFile(join(root, 'operator/main.ts'), DYING);
});
afterAll(() => rm(root, { recursive: true }));

test('an operator that has ended leaves no folder behind, and what it said can still be read', async () => {
  const operator = await startOperator(NOWHERE, { root, early: true });
  expect(existsSync(operator.folder)).toBe(true);
  expect(await operator.exited).toBe(3);
  expect(existsSync(operator.folder)).toBe(false);
  expect(operator.logs()).toEqual([{ message: 'dying' }]);
});

test('one that ends before it is ready is told as that, with its last words', async () => {
  await expect(startOperator(NOWHERE, { root })).rejects.toThrow(
    'the operator ended with 3: {"message":"dying"}',
  );
});
