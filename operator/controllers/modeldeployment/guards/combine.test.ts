import { describe, expect, test } from '@jest/globals';
import type { FullJudgement } from '../judge.ts';
import { combine } from './combine.ts';
import type { Finding, GuardOutcome } from './finding.ts';

const PAIR = { candidate: 2, baseline: 1 };
const finding = (name: string, outcome: GuardOutcome, compared = 1234): Finding => ({
  name,
  outcome,
  compared,
  message: 'why',
});
const scored = (verdict: FullJudgement['verdict']): FullJudgement => ({
  ...PAIR,
  verdict,
  labels: 700,
  message: 'scored',
  details: { effect: '0.01', reason: 'Scored' },
});

describe('a forecaster', () => {
  const judge = (forecast: FullJudgement | undefined, ...findings: Finding[]) =>
    combine({ ...PAIR, task: 'forecast' }, forecast, findings);

  test('is promoted by its forecasts, also where nobody called it over HTTP', () => {
    expect(judge(scored('Promote'), finding('Errors', 'Waiting'))).toEqual({
      ...scored('Promote'),
      details: {
        effect: '0.01',
        reason: 'Scored',
        guards: [{ name: 'Errors', outcome: 'Waiting', message: 'why' }],
      },
    });
  });

  test('goes back by a guard, whatever its forecasts say', () => {
    for (const forecast of [scored('Promote'), scored('Inconclusive'), undefined])
      expect(judge(forecast, finding('NaN', 'Passed'), finding('Prometheus[1]', 'Breached'))).toMatchObject({
        ...PAIR,
        verdict: 'Rollback',
        reason: 'PrometheusGuardBreached',
        message: 'guard Prometheus[1]: why',
      });
  });

  test('goes back by its forecasts, whatever a guard cannot see', () => {
    expect(judge(scored('Rollback'), finding('Errors', 'Blind'))).toMatchObject({
      verdict: 'Rollback',
      message: 'scored',
    });
  });

  test('is held while a guard is blind or a query that was asked for has not said enough', () => {
    expect(judge(scored('Promote'), finding('Errors', 'Blind'))).toMatchObject({
      verdict: 'Inconclusive',
      blind: true,
      labels: 700,
      details: { effect: '0.01', reason: 'GuardBlind' },
    });
    const waiting = judge(scored('Promote'), finding('Prometheus[0]', 'Waiting'));
    expect(waiting).toMatchObject({ verdict: 'Inconclusive', details: { reason: 'GuardWaiting' } });
    expect(waiting?.blind).toBeUndefined();
  });

  test('is held while what its pods count speaks against it', () => {
    const suspected = { ...finding('Errors', 'Waiting'), suspected: true };
    expect(judge(scored('Promote'), suspected)).toMatchObject({
      verdict: 'Inconclusive',
      details: { reason: 'GuardWaiting' },
    });
  });

  test('has no judgement while nothing was scored', () => {
    expect(judge(undefined, finding('Errors', 'Passed'))).toBeUndefined();
  });
});

describe('another model', () => {
  const judge = (...findings: Finding[]) =>
    combine({ ...PAIR, task: 'generic' }, scored('Promote'), findings);

  test('is promoted when every guard was passed, and only then', () => {
    expect(judge(finding('Errors', 'Passed'), finding('NaN', 'Passed', 999))).toMatchObject({
      verdict: 'Promote',
      labels: 900,
      details: { reason: 'GuardsPassed' },
    });
    expect(judge(finding('Errors', 'Passed'), finding('NaN', 'Waiting', 7))).toMatchObject({
      verdict: 'Inconclusive',
      labels: 7,
      message: 'guard NaN: why',
    });
    expect(judge(finding('Errors', 'Passed'), finding('NaN', 'Blind'))).toMatchObject({ blind: true });
    expect(judge(finding('Errors', 'Breached'), finding('NaN', 'Blind'))).toMatchObject({
      verdict: 'Rollback',
    });
  });

  test('is judged by nothing without a guard', () => {
    expect(judge()).toMatchObject({ verdict: 'Inconclusive', labels: 0, details: { reason: 'NoGuards' } });
  });
});
