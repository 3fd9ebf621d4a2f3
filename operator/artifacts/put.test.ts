import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Put, type PutOptions, putArtifacts } from './put.ts';
import { parseArtifactUri } from './uri.ts';

const { signal } = new AbortController();
let claims = '';
beforeEach(async () => {
  claims = await mkdtemp(join(tmpdir(), 'foresail-claims-'));
  await mkdir(join(claims, 'models'));
});
afterEach(() => rm(claims, { recursive: true }));

async function put(
  uri: string,
  content: string,
  change: Partial<PutOptions> = {},
  keepsFirst = false,
): Promise<Put> {
  const guard = { allowed: new Set<never>(), apiServers: () => [] };
  const options = { guard, allowHttp: false, allowFile: false, claims, ...change };
  const file = { uri: parseArtifactUri(uri), content: Buffer.from(content), keepsFirst };
  const [done] = await putArtifacts([file], options, signal);
  if (done === undefined) throw new Error('nothing was done');
  return done;
}

describe('a claim', () => {
  const uri = 'pvc://models/loadcast/abc/model.onnx';

  test('takes a file, the same again, and no other in its place', async () => {
    expect(await put(uri, 'one')).toBe('written');
    expect(await put(uri, 'one')).toBe('there');
    await expect(put(uri, 'two')).rejects.toMatchObject({ code: 'ARTIFACT_EXISTS', retry: 'terminal' });
    await expect(put(uri, 'on')).rejects.toMatchObject({ code: 'ARTIFACT_EXISTS' });
    expect(await put(uri, 'two', {}, true)).toBe('there');
    expect(await readFile(join(claims, 'models/loadcast/abc/model.onnx'), 'utf8')).toBe('one');
    expect(await readdir(join(claims, 'models/loadcast/abc'))).toEqual(['model.onnx']);
  });

  test('of ten writers of different files one wins, and his file is whole', async () => {
    const contents = Array.from({ length: 10 }, (_, i) => String(i).repeat(100_000));
    const ends = await Promise.allSettled(contents.map((content) => put(uri, content)));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(contents).toContain(await readFile(join(claims, 'models/loadcast/abc/model.onnx'), 'utf8'));
  });

  test('that is not mounted is told', async () => {
    await expect(put('pvc://other/model.onnx', 'one')).rejects.toMatchObject({ code: 'ARTIFACT_NOT_FOUND' });
  });

  test('is not left by a link on it', async () => {
    await mkdir(join(claims, 'outside'));
    await symlink(join(claims, 'outside'), join(claims, 'models/loadcast'));
    await expect(put(uri, 'one')).rejects.toMatchObject({ code: 'ARTIFACT_DENIED' });
    expect(await readdir(join(claims, 'outside'))).toEqual([]);
  });

  test('whose folder is a file is told', async () => {
    await writeFile(join(claims, 'models/loadcast'), '');
    await expect(put(uri, 'one')).rejects.toMatchObject({ code: 'ARTIFACT_DENIED' });
  });
});

test.each([
  ['file:///tmp/model.onnx', 'ARTIFACT_DENIED'],
  ['https://models.example/model.onnx', 'ARTIFACT_URI_INVALID'],
  ['hf://a/b/model.onnx', 'ARTIFACT_URI_INVALID'],
  ['oci://registry.example/models:1', 'ARTIFACT_URI_INVALID'],
])('%s is refused: %s', async (uri, code) => {
  await expect(put(uri, 'one')).rejects.toMatchObject({ code });
});
