import { expect, test } from '@jest/globals';
import type { TrainingJobStatus } from '../../../api/index.ts';
import { historyOf, withStart } from './history.ts';

const NOW = Date.UTC(2026, 2, 8);
const at = (hours: number) => new Date(NOW + hours * 3_600_000).toISOString();
const run = (cause: string) => ({
  metadata: { name: 'weekly-1', annotations: { 'foresail.io/training-cause': cause } },
});
const lastTrigger = { cause: 'Drift', time: at(-5) } as const;

test.each<
  [string, TrainingJobStatus | undefined, readonly ReturnType<typeof run>[], ReturnType<typeof historyOf>]
>([
  ['an object that nobody has looked at yet has none', undefined, [], undefined],
  ['one whose triggers have started nothing has none', { phase: 'Scheduled' }, [run('Schedule')], undefined],
  [
    'what was written is what counts',
    { lastTrigger, triggerHistory: { startedAt: [at(-5), at(-9)] } },
    [],
    { startedAt: [at(-5), at(-9)] },
  ],
  [
    'where the newest alone was written, what was before is unknown',
    { lastTrigger },
    [],
    { startedAt: [at(-5)], unknownBefore: at(-5) },
  ],
  [
    'where the status is lost and a run is there, all is unknown',
    undefined,
    [run('Drift')],
    { startedAt: [], unknownBefore: at(0) },
  ],
  ['a run that a person has started says nothing', undefined, [run('Manual')], undefined],
])('%s', (_, status, runs, wanted) => {
  expect(historyOf({ status }, runs, NOW)).toEqual(wanted);
});

test('the newest come first, as many as a budget may count, and what is unknown stays so', () => {
  const none = withStart(undefined, NOW);
  expect(none).toEqual({ startedAt: [at(0)] });
  const full = { startedAt: Array.from({ length: 100 }, (_, i) => at(-i - 1)), unknownBefore: at(-200) };
  const next = withStart(full, NOW);
  expect(next.startedAt).toEqual([at(0), ...full.startedAt.slice(0, 99)]);
  expect(next.unknownBefore).toBe(at(-200));
});
