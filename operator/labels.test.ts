import { describe, expect, test } from '@jest/globals';
import { formatSelector, parseSelector } from './labels.ts';

describe('a selector as text', () => {
  test.each([
    ['app=web', { app: 'web' }, true],
    ['app=web', { app: 'api' }, false],
    ['app==web,tier!=db', { app: 'web' }, true],
    ['app==web,tier!=db', { app: 'web', tier: 'db' }, false],
    ['app in (web, api)', { app: 'api' }, true],
    ['app in (web, api)', {}, false],
    ['app notin (web)', {}, true],
    ['app notin (web),tier', { tier: 'x' }, true],
    ['!app', { app: 'web' }, false],
    ['', { anything: 'goes' }, true],
    ['constructor', {}, false],
  ])('%s on %j is %s', (text, labels, expected) => {
    expect(parseSelector(text).matches(labels as Record<string, string>)).toBe(expected);
  });

  test.each(['app=(web', 'a b', 'in (x)', 'app in web'])('%s is refused', (text) => {
    expect(() => parseSelector(text)).toThrow(/cannot be read/);
  });

  test('equalities are what an index may be asked for', () => {
    expect(parseSelector('app=web,tier in (a),x!=y').equalities).toEqual(['app=web']);
  });
});

test('the object form and its text select the same', () => {
  const text = formatSelector({
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['b', 'a'] },
      { key: 'canary', operator: 'DoesNotExist' },
    ],
  });
  expect(text).toBe('app=web,!canary,tier in (a,b)');
  const selector = parseSelector(text);
  expect(selector.matches({ app: 'web', tier: 'a' })).toBe(true);
  expect(selector.matches({ app: 'web', tier: 'a', canary: '' })).toBe(false);
});
