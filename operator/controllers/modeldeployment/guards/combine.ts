/**
 * One word out of many. A guard that is breached sends the version back whatever its forecasts say; one that cannot see
 * holds it, because what is not known never promotes. A forecaster is promoted by its forecasts; any other model when
 * every guard was passed.
 */
import type { GuardStatus } from '../../../api/index.ts';
import type { Pair } from '../../../rollout/compared.ts';
import type { FullJudgement } from '../judge.ts';
import type { Finding } from './finding.ts';

export interface Judged extends Pair {
  readonly task: 'forecast' | 'generic';
}

export function combine(
  { task, candidate, baseline }: Judged,
  forecast: FullJudgement | undefined,
  findings: readonly Finding[],
): FullJudgement | undefined {
  const guards = findings.map(({ name, outcome, message }): GuardStatus => ({ name, outcome, message }));
  const scored = task === 'forecast' ? forecast : undefined;
  const say = (
    verdict: FullJudgement['verdict'],
    reason: string,
    message: string,
    over: Partial<FullJudgement> = {},
  ): FullJudgement => ({
    candidate,
    baseline,
    verdict,
    labels: scored?.labels ?? 0,
    message,
    details: { ...scored?.details, reason, guards },
    ...over,
  });
  const first = (outcome: Finding['outcome'], among = findings) =>
    among.find((each) => each.outcome === outcome);
  const text = ({ name, message }: Finding) => `guard ${name}: ${message}`;

  const breached = first('Breached');
  if (breached !== undefined)
    return say('Rollback', 'GuardBreached', text(breached), { reason: `${kindOf(breached)}GuardBreached` });
  if (scored?.verdict === 'Rollback') return { ...scored, details: { ...scored.details, guards } };
  const blind = first('Blind');
  if (blind !== undefined) return say('Inconclusive', 'GuardBlind', text(blind), { blind: true });

  if (task === 'forecast') {
    // A shadow that nobody calls over HTTP is judged by its forecasts all the same; a query was asked for by name, and a
    // suspicion wants to be settled.
    const waiting = first(
      'Waiting',
      findings.filter((each) => kindOf(each) === 'Prometheus' || each.suspected === true),
    );
    if (scored?.verdict === 'Promote' && waiting !== undefined)
      return say('Inconclusive', 'GuardWaiting', text(waiting));
    return scored === undefined ? undefined : { ...scored, details: { ...scored.details, guards } };
  }
  if (findings.length === 0)
    return say('Inconclusive', 'NoGuards', 'no guard was asked for, so nothing is judged');
  const labels = roughly(Math.min(...findings.map(({ compared }) => compared)));
  const waiting = first('Waiting');
  if (waiting !== undefined) return say('Inconclusive', 'GuardWaiting', text(waiting), { labels });
  return say('Promote', 'GuardsPassed', 'every guard holds', { labels });
}

/** `Prometheus` of `Prometheus[2]`. */
function kindOf({ name }: Finding): string {
  return name.split('[')[0] ?? name;
}

/** One digit: a number that moves with every request would be a write of the status each time. */
function roughly(count: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, count))));
  return Math.floor(count / unit) * unit;
}
