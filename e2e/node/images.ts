/** The images of this project's tests: the sandbox of every pod, the operator, a small web app. */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '../chart/helm.ts';
import { layOutImage } from '../chart/image.ts';
import { addPrograms, type ImageConfig, type Layer, makeLayer, writeImage } from './image.ts';

export const SANDBOX_IMAGE = 'localhost/foresail/pause:1';
export const OPERATOR_IMAGE = { repository: 'localhost/foresail/operator', tag: 'test' };
export const WEB_IMAGE = 'localhost/foresail/web:test';

/** The supervisor's own program, which can pause: one static file. */
export async function writeSandboxImage(
  file: string,
  supervisor: string,
  signal?: AbortSignal,
): Promise<void> {
  await inScratch(async (scratch) => {
    const root = join(scratch, 'root');
    await addStatic(root, 'pause', supervisor);
    const layer = await makeLayer(root, join(scratch, 'layer.tar'), {}, signal);
    const config: ImageConfig = { entrypoint: ['/pause', 'pause'], user: '65535:65535' };
    await writeImage(file, SANDBOX_IMAGE, [layer], config, signal);
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
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0::/:/\nnonroot:x:65532:65532::/:/\n');
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n');
  await writeFile(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  return await makeLayer(root, join(scratch, 'node.tar'), {}, signal);
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
