/** The builder, on its smallest program: what it says when it cannot, and what two of them do at once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const SCRIPT = fileURLToPath(new URL('build.sh', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-build-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function build(tools: readonly string[], env: Record<string, string>) {
  const child = spawn('/bin/sh', [SCRIPT, ...tools], { env: { ...process.env, ...env } });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output.stderr += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

async function goThatSays(version: string): Promise<string> {
  const bin = join(folder, version);
  await mkdir(bin);
  await writeFile(join(bin, 'go'), `#!/bin/sh\nprintf '${version}\\nlinux\\namd64\\n'\n`);
  await chmod(join(bin, 'go'), 0o755);
  return bin;
}

describe('build.sh', () => {
  test('says in one line that Go is missing', async () => {
    const bin = join(folder, 'no-go');
    await mkdir(bin);
    await symlink('/usr/bin/dirname', join(bin, 'dirname'));
    const { code, stderr, stdout } = await build(['cluster'], { PATH: bin });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^foresail: Go 1\.26 or newer is needed[^\n]*\n$/);
  });

  test.each(['go1.25.4', 'go1.9'])('says in one line that %s is too old', async (version) => {
    const { code, stderr } = await build(['cluster'], {
      PATH: `${await goThatSays(version)}:${process.env['PATH']}`,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^foresail: Go 1\\.26 or newer is needed[^\\n]* is ${version}\\n$`));
  });

  test('refuses a tool it does not know', async () => {
    expect(await build(['minikube'], {})).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`"minikube"`),
    });
  });

  test('builds once when two start together, and not again', async () => {
    // Only the binaries have a place of their own; compiled packages come from the user's cache.
    const env = { XDG_CACHE_HOME: join(folder, 'cache'), GOCACHE: await goCache() };
    const both = await Promise.all([build(['cluster'], env), build(['cluster'], env)]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both[0].stdout).toBe(both[1].stdout);
    expect(both.flatMap(({ stderr }) => stderr.match(/done in/g) ?? [])).toHaveLength(1);
    expect(await build(['cluster'], env)).toEqual({ code: 0, stdout: both[0].stdout, stderr: '' });
  }, 120_000);

  test("takes the API server, etcd and kubectl of the caller's KUBEBUILDER_ASSETS", async () => {
    const assets = join(folder, 'assets');
    await mkdir(assets);
    // Any three programs will do: nothing is run.
    for (const name of ['kube-apiserver', 'etcd', 'kubectl']) await symlink('/bin/true', join(assets, name));
    const { code, stdout } = await build(['kubernetes', 'etcd'], { KUBEBUILDER_ASSETS: assets });
    expect(code).toBe(0);
    const lines = new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ') as [string, string]),
    );
    expect([...lines.keys()].sort()).toEqual([
      'etcd',
      'kube-apiserver',
      'kube-controller-manager',
      'kube-scheduler',
      'kubectl',
    ]);
    for (const name of ['kube-apiserver', 'etcd', 'kubectl'])
      expect(lines.get(name)).toBe(join(assets, name));
    expect(dirname(lines.get('kube-scheduler') ?? '')).toContain('/foresail/bin/kubernetes-');
  });
});

async function goCache(): Promise<string> {
  const child = spawn('go', ['env', 'GOCACHE']);
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return line.trim();
}
