/** TrainingJob as the suites of all kinds want it, with what breaks its rules. */
import { TRAINING_JOB_KIND } from '../../generate/kinds.ts';
import { withValue } from '../../testing/paths.ts';
import type { BadInput, Subject } from '../../testing/subject.ts';
import { parseTrainingJob } from '../kind.ts';
import { EDGES, FULL, MINIMAL, trainingJob } from './full-object.ts';

export const trainingJobSubject: Subject = {
  definition: TRAINING_JOB_KIND,
  parse: parseTrainingJob,
  object: trainingJob,
  minimal: MINIMAL,
  full: FULL,
  edges: EDGES,
  brokenRules,
};

type Change = readonly [path: string, value: unknown];

const changeOf =
  (spec: Record<string, unknown>) =>
  (name: string, field: string, ...changes: readonly Change[]): BadInput => ({
    name,
    field,
    object: changes.reduce((object, [path, value]) => withValue(object, path, value), trainingJob(spec)),
  });

function brokenRules(): BadInput[] {
  const change = changeOf(FULL[0] ?? {});
  const small = changeOf(MINIMAL);
  const one = (field: string, value: string | number) => change(`${field} ${value}`, field, [field, value]);
  const hyperparameters = (name: string, value: object) =>
    small(name, 'spec.model.hyperparameters', ['spec.model.hyperparameters', value]);
  return [
    change('no data', 'spec.data', ['spec.data', {}]),
    change('two sources of data', 'spec.data', ['spec.data.storageUri', 's3://a/b']),
    small('credentials for our own history', 'spec.data.credentialsSecretRef', [
      'spec.data.credentialsSecretRef',
      { name: 'store' },
    ]),
    small('values without In', 'spec.data.predictiveScalers.selector.matchExpressions[0].values', [
      'spec.data.predictiveScalers.selector',
      { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] },
    ]),
    ...['ftp://a/b', 'oci://a/b', 'hf://a/b', '/a', 's3://user:pass@a/b', 'https://a/b?token=x'].map((uri) =>
      small(`data from ${uri}`, 'spec.data.storageUri', ['spec.data', { storageUri: uri }]),
    ),
    ...['https://a/b', 'file:///a', 's3://a/b#c', 's3://user:pass@a'].map((uri) =>
      one('spec.output.storageUri', uri),
    ),
    ...['.', '..', 'a/b'].flatMap((name) =>
      [
        'spec.runtimeRef.name',
        'spec.checkpoint.claimName',
        'spec.output.credentialsSecretRef.name',
        'spec.tracking.credentialsSecretRef.name',
        'spec.search.storage.rdb.urlSecretRef.name',
      ].map((path) => one(path, name)),
    ),
    ...['.', '..'].map((name) =>
      small(`${name} as a Secret for data`, 'spec.data.credentialsSecretRef.name', [
        'spec.data',
        { storageUri: 's3://a/b', credentialsSecretRef: { name } },
      ]),
    ),
    hyperparameters('a hyperparameter in capitals', { Steps: 1 }),
    hyperparameters('a hyperparameter that ends in a dot', { 'model.': 1 }),
    hyperparameters('a value that is a section too', { model: 1, 'model.width': 64 }),
    hyperparameters('a choice of data', { sampling: 'error' }),
    one('spec.data.sampling', 'random'),
    hyperparameters('a fraction without quotes', { learning_rate: 0.1 }),
    hyperparameters('a section as a value', { model: { width: 64 } }),
    hyperparameters('a long value', { model: 'x'.repeat(257) }),
    hyperparameters(
      'many hyperparameters',
      Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`h${i}`, i])),
    ),
    change('more nodes at least than at most', 'spec.workers.elastic.minNodes', [
      'spec.workers.elastic.minNodes',
      5,
    ]),
    change('a GPU for the CPU', 'spec.workers.resourceName', ['spec.workers.accelerator', 'cpu']),
    small('a wait for GPUs without one', 'spec.workers.fallbackAfter', [
      'spec.workers',
      { accelerator: 'cpu', fallbackAfter: '1m' },
    ]),
    one('spec.workers.resourceName', 'amd.com/gpu'),
    small('a search without a budget', 'spec.search', ['spec.search', {}]),
    change('more trials at a time than trials', 'spec.search.parallelism', ['spec.search.trials', 3]),
    small('a storage that is none', 'spec.search.storage.rdb', ['spec.search', { trials: 2, storage: {} }]),
    small('a database without an address', 'spec.search.storage.rdb.urlSecretRef', [
      'spec.search',
      { trials: 2, storage: { rdb: {} } },
    ]),
    small('an address without its key', 'spec.search.storage.rdb.urlSecretRef.key', [
      'spec.search',
      { trials: 2, storage: { rdb: { urlSecretRef: { name: 'search' } } } },
    ]),
    ...['', '.', '..', '..a', 'a/b', 'a b', 'a'.repeat(254)].map((key) =>
      one('spec.search.storage.rdb.urlSecretRef.key', key),
    ),
    ...['0.00001', '.02', '1', '-0.02', '2%'].map((share) => one('spec.gate.minImprovement', share)),
    small('credentials for a claim', 'spec.output.credentialsSecretRef', [
      'spec.output',
      { registry: 'loadcast', credentialsSecretRef: { name: 'store' } },
    ]),
    ...[
      'mlflow:5000',
      'file:///runs',
      'http://',
      'http://:5000',
      'http://me:pw@mlflow',
      'https://mlflow/?token=x',
      'http://mlflow/a b',
    ].map((uri) => one('spec.tracking.uri', uri)),
    ...['', ' shop', 'shop\n', 'x'.repeat(251)].map((name) => one('spec.tracking.experiment', name)),
    ...['@daily', '0 3 * *', '0 0 3 * * 0', '60 3 * * 0'].map((cron) => one('spec.schedule', cron)),
    ...['Mars/Olympus', 'Local'].map((zone) => one('spec.timeZone', zone)),
    ...(['timeZone', 'startingDeadlineSeconds', 'jitter'] as const).map((field) =>
      change(`${field} without a schedule`, `spec.${field}`, ['spec.schedule', undefined]),
    ),
    change('a cool-down without triggers', 'spec.coolDown', ['spec.triggers', undefined]),
    ...[
      ['concurrencyPolicy', 'Forbid'],
      ['successfulHistoryLimit', 1],
      ['failedHistoryLimit', 1],
    ].map(([field, value]) => small(`${field} of a single run`, `spec.${field}`, [`spec.${field}`, value])),
    change('triggers that trigger nothing', 'spec.triggers', ['spec.triggers', {}]),
    change('triggers without scalers', 'spec.triggers', ['spec.data', { storageUri: 's3://a/b' }]),
    ...['1', '1.0', '20.1', '99', '1.55', '2x', '-2', ''].map((factor) =>
      one('spec.triggers.scoreBreachFactor', factor),
    ),
    small('a factor without scoreBreach', 'spec.triggers.scoreBreachFactor', [
      'spec.triggers',
      { drift: true, scoreBreachFactor: '3' },
    ]),
    ...[0, 101, 1.5].map((runs) => one('spec.triggers.budget.runs', runs)),
    ...['59m', '8761h', '7d'].map((per) => one('spec.triggers.budget.per', per)),
    ...['A', '-a', 'a_b'].map((queue) => one('spec.queueName', queue)),
    ...['A', '1a', 'a.b', '-a', 'a'.repeat(53)].map((name) => ({
      name: `the name ${name}`,
      field: 'metadata.name',
      object: trainingJob(MINIMAL, name),
    })),
    {
      name: 'a long name of one that makes others',
      field: 'metadata.name',
      object: trainingJob({ ...MINIMAL, schedule: '0 3 * * *' }, 'a'.repeat(44)),
    },
  ];
}
