import { describe, expect, test } from '@jest/globals';
import { parseSelector } from './selector.ts';

const labels = { app: 'web', tier: 'front', 'a.b/c': '' };

describe('parseSelector', () => {
  test.each([
    ['', true],
    ['app=web', true],
    ['app==web,tier=front', true],
    ['app=api', false],
    ['app!=api', true],
    ['missing!=x', true],
    ['app in (api, web),tier', true],
    ['app in (api)', false],
    ['app notin (api)', true],
    ['missing notin (x)', true],
    ['missing', false],
    ['!missing', true],
    ['!app', false],
    ['a.b/c=', true],
  ])('%s → %s', (selector, expected) => {
    expect(parseSelector(selector)(labels)).toBe(expected);
  });

  test.each(['app=web=1', 'in (a)', 'app in (a', '=x'])('refuses %s', (selector) => {
    expect(() => parseSelector(selector)).toThrow('not a label requirement');
  });
});
