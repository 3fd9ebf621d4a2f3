/** The images of this project's tests: the sandbox of every pod, the operator, a small web app, a gateway. */
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '../chart/helm.ts';
import { layOutImage } from '../chart/image.ts';
import { addPrograms, type ImageConfig, type Layer, makeLayer, writeImage } from './image.ts';

export const SANDBOX_IMAGE = 'localhost/foresail/pause:1';
export const OPERATOR_IMAGE = { repository: 'localhost/foresail/operator', tag: 'test' };
export const WEB_IMAGE = 'localhost/foresail/web:test';
export const BASE_IMAGE = 'localhost/foresail/base:test';
export const GATEWAY_IMAGE = 'localhost/foresail/traefik:test';

/** The supervisor's own program, which can pause. */
export async function writeSandboxImage(
  file: string,
  supervisor: string,
  signal?: AbortSignal,
): Promise<void> {
  const config: ImageConfig = { entrypoint: ['/pause', 'pause'], user: '65535:65535' };
  await writeStaticImage(file, SANDBOX_IMAGE, supervisor, config, signal);
}

export async function writeGatewayImage(file: string, traefik: string, signal?: AbortSignal): Promise<void> {
  const config: ImageConfig = { entrypoint: ['/traefik'], user: '65532:65532' };
  await writeStaticImage(file, GATEWAY_IMAGE, traefik, config, signal);
}

/** One program that needs nothing beside itself, at the path of the entrypoint. */
async function writeStaticImage(
  file: string,
  name: string,
  program: string,
  config: ImageConfig,
  signal?: AbortSignal,
): Promise<void> {
  await inScratch(async (scratch) => {
    const root = join(scratch, 'root');
    await addStatic(root, config.entrypoint[0] ?? '', program);
    const layer = await makeLayer(root, join(scratch, 'layer.tar'), {}, signal);
    await writeImage(file, name, [layer], config, signal);
  });
}

/** What the Dockerfile's final stage holds, laid out from this work tree. */
export async function writeOperatorImage(file: string, signal?: AbortSignal): Promise<void> {
  await inScratch(async (scratch) => {
    const root = join(scratch, 'root');
    layOutImage(join(root, 'app'));
    const app = await makeLayer(
      root,
      join(scratch, 'app.tar'),
      { followLinks: true, exclude: OTHER_PLATFORMS },
      signal,
    );
    const config: ImageConfig = {
      entrypoint: ['node', 'operator/main.ts'],
      env: ['NODE_ENV=production', 'NODE_OPTIONS=--disable-warning=ExperimentalWarning'],
      user: '65532:65532',
      workingDir: '/app',
    };
    const { repository, tag } = OPERATOR_IMAGE;
    await writeImage(file, `${repository}:${tag}`, [await nodeLayer(scratch, signal), app], config, signal);
  });
}

/** Every library of ONNX Runtime but the one for this platform's CPU. */
const OTHER_PLATFORMS = ['darwin', 'win32', 'linux/arm64'].map(
  (platform) => `*/onnxruntime-node/bin/napi-v*/${platform}`,
);

export async function writeWebImage(file: string, signal?: AbortSignal): Promise<void> {
  await inScratch(async (scratch) => {
    const root = join(scratch, 'root');
    await addStatic(join(root, 'app'), 'web.ts', join(import.meta.dirname, 'web.ts'));
    const app = await makeLayer(root, join(scratch, 'app.tar'), {}, signal);
    const config: ImageConfig = {
      entrypoint: ['node', '--disable-warning=ExperimentalWarning', 'web.ts'],
      user: '65532:65532',
      workingDir: '/app',
    };
    await writeImage(file, WEB_IMAGE, [await nodeLayer(scratch, signal), app], config, signal);
  });
}

/** Nothing but the way into a `/usr` that is mounted from the node: for programs that are no image's. */
export async function writeBaseImage(file: string, signal?: AbortSignal): Promise<void> {
  await inScratch(async (scratch) => {
    const root = join(scratch, 'root');
    await mkdir(join(root, 'usr'), { recursive: true });
    // oxlint-disable-next-line no-await-in-loop -- four links
    for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(root, name));
    await addUsers(root);
    const layer = await makeLayer(root, join(scratch, 'layer.tar'), {}, signal);
    const config: ImageConfig = { entrypoint: ['/usr/bin/env'], user: '65532:65532', workingDir: '/' };
    await writeImage(file, BASE_IMAGE, [layer], config, signal);
  });
}

/** Node 24 with the libraries that it and ONNX Runtime load, and what the Dockerfile takes from its base image. */
async function nodeLayer(scratch: string, signal?: AbortSignal): Promise<Layer> {
  const root = join(scratch, 'node');
  await addPrograms(
    root,
    {
      '/usr/local/bin/node': process.execPath,
      '/usr/bin/prlimit': '/usr/bin/prlimit',
      '/usr/bin/unshare': '/usr/bin/unshare',
    },
    [join(REPOSITORY, 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1')],
    signal,
  );
  await addUsers(root);
  return await makeLayer(root, join(scratch, 'node.tar'), {}, signal);
}

async function addUsers(root: string): Promise<void> {
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0::/:/\nnonroot:x:65532:65532::/:/\n');
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n');
  await writeFile(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
}

async function addStatic(folder: string, name: string, source: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await copyFile(source, join(folder, name));
}

async function inScratch(work: (scratch: string) => Promise<void>): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'foresail-image-'));
  try {
    await work(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
