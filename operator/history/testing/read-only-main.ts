/** Keeps history on a disk that becomes read-only and writable again, and prints what the store says. For a test. */
import { spawnSync } from 'node:child_process';
import { systemClock } from '../../clock.ts';
import { ParquetHistory } from '../parquet-store.ts';

const folder = process.argv[2] ?? '';
const minute = 60_000;
const now = 1_000 * 86_400_000;
const { signal } = new AbortController();
const remount = (how: string) => {
  const { status, stderr } = spawnSync('mount', ['-o', `remount,${how}`, folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
};
const open = async () => {
  const history = new ParquetHistory({ folder, clock: systemClock, now: () => now });
  history.declare('a', { stepMs: minute });
  await history.loaded();
  return history;
};

const first = await open();
const reasons: string[] = [];
const flush = async () => {
  await first.flush(signal);
  reasons.push(first.health().reason);
};
first.append('a', now - 2 * minute, 1);
await flush();
remount('ro');
first.append('a', now - minute, 2);
await flush();
const known = [...first.window('a', now - minute, minute, 2)];
remount('rw');
first.append('a', now, 3);
await flush();
await first.close();
const second = await open();
const found = [...second.window('a', now, minute, 3)];
await second.close();
process.stdout.write(JSON.stringify({ reasons, known, found }));
