import { expect, test } from '@jest/globals';
import { parseTrainingJob } from './kind.ts';
import { runOf } from './run.ts';
import { FULL, trainingJob } from './testing/full-object.ts';

test('a run has all that its maker says of a run, a search by a database too, and nothing that makes runs', () => {
  const object = parseTrainingJob(trainingJob(FULL[0] ?? {}));
  const { spec } = runOf(object, 'loadcast-1', 'Schedule');
  const left = Object.keys(object.spec).filter((field) => !(field in spec));
  expect(left.toSorted()).toEqual(
    [
      'schedule',
      'timeZone',
      'startingDeadlineSeconds',
      'jitter',
      'triggers',
      'coolDown',
      'concurrencyPolicy',
      'successfulHistoryLimit',
      'failedHistoryLimit',
      'suspend',
    ].toSorted(),
  );
  expect(object.spec).toMatchObject(spec);
  expect(spec.search?.storage?.rdb.urlSecretRef).toEqual({ name: 'search', key: 'url' });
});
