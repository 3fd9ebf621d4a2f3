/** A process that writes history without end, for the test that kills it in the middle of a write. */

import { systemClock } from '../../clock.ts';
import { ParquetHistory } from '../parquet-store.ts';

const folder = process.argv[2] ?? '';
let now = 1_000 * 86_400_000;
const history = new ParquetHistory({ folder, clock: systemClock, now: () => now, filesPerDay: 4 });
const keys = Array.from({ length: 50 }, (_, i) => `series/${i}`);
for (const key of keys) history.declare(key, { stepMs: 60_000 });
await history.loaded();
for (let i = 0; ; i++) {
  for (let s = 0; s < 20; s++, now += 60_000) for (const key of keys) history.append(key, now, i);
  await history.flush(new AbortController().signal);
  process.stdout.write(`${now}\n`);
}
