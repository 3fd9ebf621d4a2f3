/** The generated files of the chart, path from the root of the repository → content. */
import { valuesJsonSchema } from './values.ts';

export function chartFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['charts/foresail/values.schema.json', `${JSON.stringify(valuesJsonSchema(), null, 2)}\n`],
  ]);
}
