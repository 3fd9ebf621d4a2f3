import { expect, test } from '@jest/globals';
import { runtime } from '../../../api/clustertrainingruntime/testing/full-object.ts';
import { parseClusterTrainingRuntime, parseTrainingJob } from '../../../api/index.ts';
import { MINIMAL, trainingJob } from '../../../api/trainingjob/testing/full-object.ts';
import { SETTINGS } from '../testing/stage.ts';
import { gateJob, type Incumbent } from './gate-job.ts';

interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly volumeMounts: readonly object[];
  readonly securityContext: object;
}

function gate(spec: Record<string, unknown> = {}, incumbent?: Incumbent) {
  const { template } = gateOf(spec, incumbent).spec as unknown as {
    template: {
      spec: {
        securityContext: object;
        initContainers?: readonly Container[];
        containers: readonly [Container];
        volumes: readonly object[];
      };
    };
  };
  return template.spec;
}

function gateOf(spec: Record<string, unknown> = {}, incumbent?: Incumbent) {
  const run = parseTrainingJob(trainingJob({ ...MINIMAL, ...spec }));
  return gateJob({
    run: { ...run, metadata: { ...run.metadata, uid: '0a1b2c3d-0' } },
    runtime: parseClusterTrainingRuntime(
      runtime({ image: 'trainer:1', cpu: {}, security: { runAsUser: 1000, fsGroup: 1000 } }),
    ).spec,
    incumbent,
    settings: SETTINGS,
  });
}

test('it judges what the run has made, by the operator’s image, as the user who trained', () => {
  const { containers, securityContext, initContainers } = gate();
  expect(containers[0].image).toBe('foresail:1');
  expect(containers[0].args.join(' ')).toBe(
    'gate --candidate /work/out/model.onnx --data /work/holdout --training /work/data --lineage /work/out/lineage.json ' +
      '--min-improvement 0.01 --report /work/gate/report.json --termination-log /dev/termination-log',
  );
  expect(containers[0].securityContext).toMatchObject({ readOnlyRootFilesystem: true, runAsNonRoot: true });
  expect(securityContext).toMatchObject({ runAsUser: 1000, fsGroup: 1000, runAsNonRoot: true });
  expect(initContainers).toBeUndefined();
});

test('its Job ends at once where holding it again in the same minute says the same', () => {
  const rule = (code: number) => ({
    action: 'FailJob',
    onExitCodes: { containerName: 'gate', operator: 'In', values: [code] },
  });
  // Of one that has ended without its pod this order is all that is known.
  expect(gateOf().spec).toMatchObject({ podFailurePolicy: { rules: [rule(74), rule(1), {}] } });
});

test('without a store of its own a version lies on the run’s claim, outside the run’s folder', () => {
  const { containers } = gate({ output: { registry: 'web' } });
  expect(containers[0].args.join(' ')).toContain('--publish pvc://training/foresail/models/web');
  expect(containers[0].volumeMounts).toContainEqual({
    name: 'store',
    mountPath: '/mnt/pvc/training/foresail/models/web',
    subPath: 'foresail/models/web',
  });
});

test('credentials of the store and of the incumbent do not mix', () => {
  const incumbent = {
    storageUri: 's3://models/old',
    digest: 'a'.repeat(64),
    credentialsSecretRef: { name: 'reads' },
  };
  const output = { registry: 'web', storageUri: 's3://models', credentialsSecretRef: { name: 'writes' } };
  const { containers, initContainers, volumes } = gate({ output }, incumbent);
  expect(initContainers?.[0]?.args.join(' ')).toContain(
    '--uri s3://models/old --sha256 ' + 'a'.repeat(64) + ' --to /models/incumbent',
  );
  expect(containers[0].args.join(' ')).toContain('--incumbent /models/incumbent/model.onnx');
  const names = (container: Container | undefined) => JSON.stringify(container?.volumeMounts);
  expect(names(initContainers?.[0])).toContain('"credentials"');
  expect(names(initContainers?.[0])).not.toContain('output-credentials');
  expect(names(containers[0])).not.toContain('"credentials"');
  expect(volumes).toContainEqual({ name: 'output-credentials', secret: { secretName: 'writes' } });
  expect(volumes).toContainEqual({ name: 'credentials', secret: { secretName: 'reads' } });
});
