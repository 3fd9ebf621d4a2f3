import { describe, expect, test } from '@jest/globals';
import { choose } from './service-level-choice.ts';

const reactive = { short: 0.05, replicas: 10 };
const terms = { alpha: 0.01, weight: 1e-4 };
const rule = (short: number, replicas: number, handicap = 1) => ({ short, replicas, handicap });

describe('the rule that is followed', () => {
  test('is the cheapest of those that were short rarely enough', () => {
    expect(choose([rule(0.03, 10), rule(0.009, 12), rule(0.001, 13)], reactive, terms, undefined)).toBe(1);
  });

  test('may be short for a little longer where the rest is dear', () => {
    const rules = [rule(0.012, 10), rule(0.001, 40)];
    expect(choose(rules, reactive, terms, undefined)).toBe(0);
    expect(choose([rule(0.03, 10), rule(0.001, 40)], reactive, terms, undefined)).toBe(1);
  });

  test('does not pay any price for it', () => {
    expect(choose([rule(0.03, 10), rule(0.001, 200)], reactive, terms, undefined)).toBe(0);
  });

  test('needs room below what was asked while its record is short', () => {
    const rules = [rule(0.0009, 10), rule(0, 10.1)];
    const asked = { alpha: 0.001, weight: 1e-6 };
    expect(choose(rules, reactive, asked, undefined)).toBe(0);
    expect(choose(rules, reactive, { ...asked, weight: 1e-4 }, undefined)).toBe(1);
  });

  test('stays until another is clearly cheaper', () => {
    expect(choose([rule(0, 10), rule(0, 9.9)], reactive, terms, 0)).toBe(0);
    expect(choose([rule(0, 10), rule(0, 9.7)], reactive, terms, 0)).toBe(1);
  });

  test('must be cheaper by its handicap', () => {
    expect(choose([rule(0, 10), rule(0, 9.6, 1.06)], reactive, terms, undefined)).toBe(0);
    expect(choose([rule(0, 10), rule(0, 9, 1.06)], reactive, terms, undefined)).toBe(1);
  });
});
