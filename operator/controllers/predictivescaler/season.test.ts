import { expect, test } from '@jest/globals';
import { MemoryHistory } from '../../history/memory-store.ts';
import { createSeason } from './season.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const startMs = Date.UTC(2026, 5, 1);

/** A week that is quiet by night and carries 100 from 08:00 to 20:00. */
function weekOfDays(days: number) {
  const now = startMs + days * DAY;
  const history = new MemoryHistory({ now: () => now });
  history.declare('k', { stepMs: MINUTE });
  for (let at = startMs; at < now; at += MINUTE) {
    const hour = new Date(at).getUTCHours();
    history.append('k', at, hour >= 8 && hour < 20 ? 100 : 10);
  }
  return { history, now };
}

test('the usual load of the time of day over the whole window, step by step', () => {
  const { history, now } = weekOfDays(5);
  const fromMs = now + 7.5 * 3_600_000;
  const path = createSeason(history).path({
    seriesKey: 'k',
    stepMs: MINUTE,
    spanMs: 5 * DAY,
    window: { fromMs, toMs: fromMs + 90 * MINUTE },
    coverage: 0.95,
  });
  expect(path?.originMs).toBe(fromMs);
  expect(path?.loadMilli).toHaveLength(90);
  expect(path?.loadMilli.at(-1)).toBe(100_000);
});

test('a load that is hardly known has no season', () => {
  const { history, now } = weekOfDays(0.2);
  const window = { fromMs: now, toMs: now + 10 * MINUTE };
  const season = createSeason(history);
  expect(
    season.path({ seriesKey: 'k', stepMs: MINUTE, spanMs: DAY, window, coverage: 0.95 }),
  ).toBeUndefined();
});
