/** The page of words in the status knows every word that the code can say. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { RESTART_CAUSES, TRAINING_PHASES } from '../../api/trainingjob/status.ts';
import { RUN_ENDS } from '../../observability/training-metrics.ts';
import { CAUSES } from './plan/types.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/trainingjob-status.md'), 'utf8');
const code = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('testing/'))
  .map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'))
  .join('\n');

/** Where a reason stands in the code: after its key, as what a refusal or an event says. */
const REASONS = [
  /reason: '([A-Z]\w+)'/g,
  /reason = '([A-Z]\w+)'/g,
  /refused\(\s*'([A-Z]\w+)'/g,
  /'(?:Normal|Warning)', '([A-Z]\w+)'/g,
];
/** Not carried out by this version. */
const LATER = ['Searching'];

test('every reason, cause, phase and outcome has its line', () => {
  const reasons = new Set(
    REASONS.flatMap((pattern) => [...code.matchAll(pattern)].map(([, word = '']) => word)),
  );
  expect(reasons.size).toBeGreaterThan(35);
  const words = [...reasons, ...CAUSES, ...RESTART_CAUSES, ...TRAINING_PHASES, ...RUN_ENDS];
  expect(words.filter((word) => !LATER.includes(word) && !page.includes(`\`${word}\``))).toEqual([]);
});

test('every metric of runs has its line', () => {
  const metrics = readFileSync(join(import.meta.dirname, '../../observability/training-metrics.ts'), 'utf8');
  const names = [...metrics.matchAll(/name: '(foresail_\w+)'/g)].map(([, name = '']) => name);
  expect(names.filter((name) => !page.includes(name))).toEqual([]);
});
