/** The generated files of the chart, path from the root of the repository → content. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { BOX_MODEL } from '../../operator/inference/box-model.ts';
import { configTable, valuesTable, withTables } from './readme.ts';
import { valuesJsonSchema } from './values.ts';

const CHART = 'charts/foresail';

export function chartFiles(): ReadonlyMap<string, string> {
  const read = (name: string) => readFileSync(join(import.meta.dirname, '../..', CHART, name), 'utf8');
  const values = load(read('values.yaml')) as Readonly<Record<string, unknown>>;
  return new Map([
    [`${CHART}/files/box-model.sha256`, `${BOX_MODEL.sha256}\n`],
    [`${CHART}/values.schema.json`, `${JSON.stringify(valuesJsonSchema(), null, 2)}\n`],
    [
      `${CHART}/README.md`,
      withTables(read('README.md'), { values: valuesTable(values), config: configTable() }),
    ],
  ]);
}
