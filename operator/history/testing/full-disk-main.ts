/** Fills a disk with history, a day at a time, and prints what the store says and still knows. For a test. */
import { readdirSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../clock.ts';
import { ParquetHistory } from '../parquet-store.ts';

const folder = process.argv[2] ?? '';
const day = 86_400_000;
let now = 1_000 * day;
const history = new ParquetHistory({ folder, clock: systemClock, now: () => now });
const { signal } = new AbortController();
for (let s = 0; s < 40; s++) history.declare(`series/${s}`, { stepMs: 60_000 });
await history.loaded();
const reasons = new Set<string>();
for (let d = 0; d < 8; d++, now += day) {
  for (let i = 0; i < 1440; i++) {
    for (let s = 0; s < 40; s++) history.append(`series/${s}`, now - (1440 - i) * 60_000, Math.random());
  }
  await history.flush(signal);
  reasons.add(history.health().reason);
}
const days = readdirSync(folder)
  .map((name) => name.slice(0, 10))
  .sort();
// Somebody else takes the whole disk: nothing of ours is left that could give way.
for (const name of readdirSync(folder)) unlinkSync(join(folder, name));
const { bavail, bsize } = statfsSync(folder);
writeFileSync(join(folder, 'filler'), Buffer.alloc(bavail * bsize));
history.append('series/0', now, 42);
await history.flush(signal);
const known = history.window('series/0', now, 60_000, 1)[0];
process.stdout.write(JSON.stringify({ reasons: [...reasons], days, last: history.health(), known }));
await history.close();
