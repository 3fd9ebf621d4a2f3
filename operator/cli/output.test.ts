import { expect, test } from '@jest/globals';
import { commandLine } from './output.ts';

test('a command line can be typed again', () => {
  const typed = ['backtest', '--data', "it's mine.csv", '--start-up', '30s,120s', ''];
  expect(commandLine(['node', 'main.ts', ...typed])).toBe(
    `foresail backtest --data 'it'\\''s mine.csv' --start-up 30s,120s ''`,
  );
});
