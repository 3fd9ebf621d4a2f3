import { describe, expect, test } from '@jest/globals';
import { runtime } from '../../../api/clustertrainingruntime/testing/full-object.ts';
import { parseClusterTrainingRuntime, parseTrainingJob } from '../../../api/index.ts';
import { MINIMAL, trainingJob } from '../../../api/trainingjob/testing/full-object.ts';
import { workerPod } from './worker-pod.ts';

const BY_DATABASE = {
  trials: 6,
  parallelism: 2,
  storage: { rdb: { urlSecretRef: { name: 'search', key: 'url' } } },
};
const ADDRESS = {
  name: 'FORESAIL_SEARCH_STORAGE',
  valueFrom: { secretKeyRef: { name: 'search', key: 'url' } },
};

function pod(searches: boolean, spec: object, ofRuntime: object = {}) {
  const run = parseTrainingJob(trainingJob({ ...MINIMAL, ...spec }));
  const stored = runtime({ image: 'trainer:1', cpu: {}, ...ofRuntime });
  const { metadata, spec: made } = workerPod({
    run: { ...run, metadata: { ...run.metadata, uid: '0a1b2c3d-0000-4000-8000-000000000000' } },
    runtime: parseClusterTrainingRuntime(stored).spec,
    attempt: { number: 1, nodes: 2, onCpu: true, createdAtMs: 0, ...(searches ? { searches } : {}) },
    settings: {},
  });
  const { env = [], volumeMounts = [] } = made.containers[0] ?? {};
  return {
    config: JSON.parse(metadata.annotations['foresail.io/training-config']) as { search?: object },
    address: env.filter(({ name }) => name === ADDRESS.name),
    work: made.volumes.find(({ name }) => name === 'foresail-work'),
    mount: volumeMounts.find(({ mountPath }) => mountPath === '/work'),
    claims: made.volumes.filter((volume) => 'persistentVolumeClaim' in volume),
    volumeMounts,
  };
}

const CLAIM = { name: 'foresail-work', persistentVolumeClaim: { claimName: 'training' } };
const FOLDER = { name: 'foresail-work', mountPath: '/work', subPath: 'foresail/loadcast-0a1b2c3d' };

test.each([true, false])(
  'a search without a storage meets on the claim, of which nothing is said (searches: %s)',
  (searches) => {
    const { config, address, work, mount } = pod(searches, { search: { trials: 6 } });
    expect(config.search).toEqual({ trials: 6 });
    expect(address).toEqual([]);
    expect([work, mount]).toEqual([CLAIM, FOLDER]);
  },
);

describe('a search that meets in a database', () => {
  test('works in a folder of its own, within its bound, and needs no claim', () => {
    const { config, address, work, mount, claims } = pod(true, { search: BY_DATABASE });
    expect(config.search).toEqual({ trials: 6, storage: 'rdb' });
    expect(address).toEqual([ADDRESS]);
    expect(work).toEqual({ name: 'foresail-work', emptyDir: { sizeLimit: '10Gi' } });
    expect(mount).toEqual({ name: 'foresail-work', mountPath: '/work' });
    expect(claims).toEqual([]);
  });

  test('has the bound of its runtime', () => {
    const { work } = pod(true, { search: BY_DATABASE }, { searchScratch: { sizeLimit: '30Gi' } });
    expect(work).toMatchObject({ emptyDir: { sizeLimit: '30Gi' } });
  });

  test('is asked by training for what it has found, which then works on the claim', () => {
    const { config, address, work, mount } = pod(false, { search: BY_DATABASE });
    expect(config.search).toEqual({ trials: 6, storage: 'rdb' });
    expect(address).toEqual([ADDRESS]);
    expect([work, mount]).toEqual([CLAIM, FOLDER]);
  });

  test.each([true, false])('reads data that lie on the run’s claim (searches: %s)', (searches) => {
    const { claims, volumeMounts } = pod(searches, {
      search: BY_DATABASE,
      data: { storageUri: 'pvc://training/loads' },
    });
    expect(claims).toEqual([searches ? { ...CLAIM, name: 'foresail-data' } : CLAIM]);
    expect(volumeMounts).toContainEqual({
      name: claims[0]?.name,
      mountPath: '/mnt/pvc/training',
      readOnly: true,
    });
  });
});
