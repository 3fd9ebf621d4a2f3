/** The page of words in the status knows every word that the code can say. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { registryName } from '../../registry/model-index.ts';

const OPERATOR = join(import.meta.dirname, '../..');
const page = readFileSync(join(OPERATOR, '../docs/reference/modeldeployment-status.md'), 'utf8');

function sources(folder: string): string[] {
  return readdirSync(join(OPERATOR, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('testing/'))
    .map((file) => readFileSync(join(OPERATOR, folder, file), 'utf8'));
}

/** Where a reason stands in the code: after its key, a status, an outcome, or as what a function gives. */
const REASONS = [
  /reason: '([A-Z]\w+)'/g,
  /'(?:True|False|Unknown)', '([A-Z]\w+)'/g,
  /'(?:Aborted|Undone|Superseded)', '([A-Z]\w+)'/g,
  /notReady\(\s*'(\w+)'/g,
  /say\(\s*'\w+',\s*'([A-Z]\w+)'/g,
  /'(?:Normal|Warning)', '([A-Z]\w+)'/g,
];
/** Said of things that no status of a ModelDeployment has. */
const ELSEWHERE = ['ModelServingDisabled'];

test('every reason has its line', () => {
  const code = ['rollout', 'controllers/modeldeployment', 'judge'].flatMap(sources).join('\n');
  const reasons = new Set(
    REASONS.flatMap((pattern) => [...code.matchAll(pattern)].map(([, word = '']) => word)),
  );
  expect(reasons.size).toBeGreaterThan(40);
  const missing = [...reasons].filter((word) => !ELSEWHERE.includes(word) && !page.includes(`\`${word}\``));
  expect(missing).toEqual([]);
});

test('names in it are those of the code', () => {
  expect(page).toContain(registryName('NAME'));
});
