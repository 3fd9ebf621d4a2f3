/** Writes a folder of series as the trainer's data part does. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import parquet from '@dsnp/parquetjs';
import type { FolderSeries } from '../series-folder.ts';

const SCHEMA = new parquet.ParquetSchema({
  series: { type: 'UTF8', compression: 'GZIP' },
  t: { type: 'INT64', compression: 'GZIP' },
  v: { type: 'DOUBLE', compression: 'GZIP' },
});

/** Names are `source/series`; all series of a source lie in one file. Unknown steps are left out or NaN. */
export async function writeSeriesFolder(
  folder: string,
  series: readonly FolderSeries[],
  unknown: 'NaN' | 'gap' = 'NaN',
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const groups = Map.groupBy(series, ({ name }) => name.slice(0, name.indexOf('/')));
  for (const [source, own] of groups) {
    const writer = await parquet.ParquetWriter.openFile(SCHEMA, join(folder, `${source}.parquet`), {
      rowGroupSize: 5000,
    });
    for (const { name, startMs, stepMs, values } of own)
      for (const [i, v] of values.entries()) {
        if (unknown === 'gap' && Number.isNaN(v)) continue;
        // oxlint-disable-next-line no-await-in-loop -- a file is written from front to back
        await writer.appendRow({
          series: name.slice(source.length + 1),
          t: BigInt((startMs + i * stepMs) / 1000),
          v,
        });
      }
    // oxlint-disable-next-line no-await-in-loop -- as above
    await writer.close();
  }
  const sources = [...groups.keys()].map((name) => ({ name, file: `${name}.parquet` }));
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ schema: 1, sources }));
}
