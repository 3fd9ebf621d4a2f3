/**
 * What trains in the stories: this work tree's trainer with the Python and PyTorch of this machine, mounted to read
 * only. An image of its own would take 5 GB of layers to say the same.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { REPOSITORY } from '../chart/helm.ts';
import { type ClusterFacts, nodeOf } from '../cluster.ts';
import { BASE_IMAGE, writeBaseImage } from './images.ts';
import { importImage, runInside } from './inside.ts';
import { apply, type NodeStage } from './stage.ts';

export const RUNTIME = 'test';
/** It takes folders of the node, so nothing restricts its pods but the operator. */
export const TRAINING_NAMESPACE = 'train';

const SOURCE = '/opt/foresail/src';

const installed = new WeakMap<NodeStage, Promise<void>>();

/** The ClusterTrainingRuntime `test`, once per stage. */
export function installTrainer(stage: NodeStage, signal: AbortSignal): Promise<void> {
  const known = installed.get(stage) ?? install(stage, signal);
  installed.set(stage, known);
  return known;
}

async function install({ cluster }: NodeStage, signal: AbortSignal): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'foresail-trainer-'));
  try {
    const archive = join(folder, 'base.tar');
    await writeBaseImage(archive, signal);
    await importImage(cluster, archive, signal);
  } finally {
    await rm(folder, { recursive: true });
  }
  const { environment, python } = await pythonEnvironment(signal);
  // Where it is here says nothing of where it may be there.
  const volumes = [
    { name: 'usr', mountPath: '/usr', path: '/usr' },
    { name: 'source', mountPath: SOURCE, path: join(REPOSITORY, 'models/src') },
    { name: 'environment', mountPath: environment, path: environment },
    // A Python of the system lies in /usr.
    ...(python.startsWith('/usr/') ? [] : [{ name: 'python', mountPath: python, path: python }]),
  ];
  await apply(cluster, {
    apiVersion: 'foresail.io/v1alpha1',
    kind: 'ClusterTrainingRuntime',
    metadata: { name: RUNTIME },
    spec: {
      image: BASE_IMAGE,
      imagePullPolicy: 'Never',
      command: [
        join(environment, 'bin/python'),
        '-m',
        'foresail_models.train',
        '--config',
        '/etc/foresail/train.json',
      ],
      env: [
        { name: 'PYTHONPATH', value: SOURCE },
        { name: 'PYTHONDONTWRITEBYTECODE', value: '1' },
      ],
      cpu: {
        resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '2Gi' } },
      },
      volumes: volumes.map(({ path, ...volume }) => ({ ...volume, hostPath: { path } })),
    },
  });
}

/** Where the environment of `make venv` is, and the Python that it was made of. */
async function pythonEnvironment(
  signal: AbortSignal,
): Promise<{ readonly environment: string; readonly python: string }> {
  const script = join(REPOSITORY, 'tools/setup/python.sh');
  const { stdout } = await promisify(execFile)(script, { signal });
  const environment = stdout.trim().split('\n').at(-1) ?? '';
  const settings = await readFile(join(environment, 'pyvenv.cfg'), 'utf8');
  const home = /^home = (.+)$/m.exec(settings)?.[1];
  if (home === undefined) throw new Error(`${environment}/pyvenv.cfg does not say where Python is`);
  return { environment, python: dirname(home) };
}

export interface Claim extends AsyncDisposable {
  readonly name: string;
  /** Name of its volume. */
  readonly volume: string;
  /** The same folder as this machine reaches it. */
  readonly folder: string;
}

/**
 * A claim that every pod of a namespace may write to: a folder of this machine, or, with `mebibytes`, a file system of
 * that size, which can be full while the machine is not.
 */
export async function makeClaim(
  cluster: ClusterFacts,
  namespace: string,
  name: string,
  mebibytes?: number,
): Promise<Claim> {
  const folder = await mkdtemp(join(tmpdir(), 'foresail-claim-'));
  // Nobody gives folders of a node to the group of a pod.
  await chmod(folder, 0o777);
  const options = `size=${mebibytes}m,mode=0777`;
  if (mebibytes !== undefined)
    await runInside(cluster, ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  const common = {
    accessModes: ['ReadWriteMany'],
    storageClassName: '',
    volumeMode: 'Filesystem',
  };
  const volume = `${namespace}-${name}`;
  await apply(
    cluster,
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: volume },
      spec: {
        ...common,
        capacity: { storage: '1Gi' },
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path: folder, type: 'Directory' },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { namespace, name },
      spec: { ...common, volumeName: volume, resources: { requests: { storage: '1Gi' } } },
    },
  );
  return {
    name,
    volume,
    // A mount of the node is none of this machine's.
    folder: mebibytes === undefined ? folder : `/proc/${nodeOf(cluster).pid}/root${folder}`,
    async [Symbol.asyncDispose]() {
      if (mebibytes !== undefined) await runInside(cluster, ['umount', '--lazy', folder]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
