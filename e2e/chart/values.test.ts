/** The chart's own files agree with the schema that they come from. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { parseConfig } from '../../operator/config.ts';
import { chartFiles } from '../../tools/chart/files.ts';
import { chartValuesSchema } from '../../tools/chart/values.ts';

const root = join(import.meta.dirname, '..', '..');
const values = load(readFileSync(join(root, 'charts/foresail/values.yaml'), 'utf8')) as Record<
  string,
  unknown
>;

test.each([...chartFiles().keys()])('%s is up to date (make generate)', (path) => {
  expect(readFileSync(join(root, path), 'utf8')).toBe(chartFiles().get(path));
});

describe('values.yaml', () => {
  test('holds every key of the schema but `global`', () => {
    expect(Object.keys(values).sort()).toEqual(
      Object.keys(chartValuesSchema.shape)
        .filter((key) => key !== 'global')
        .sort(),
    );
  });

  test('repeats the operator’s defaults truly', () => {
    const { history, ...rest } = parseConfig(values['config'], 'values.yaml');
    const { history: defaultHistory, ...defaults } = parseConfig({}, 'defaults');
    expect(rest).toEqual(defaults);
    expect({ ...history, directory: undefined }).toEqual({ ...defaultHistory, directory: undefined });
  });
});
