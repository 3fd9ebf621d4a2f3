/**
 * Which conditions a user is told of by an event: those that have turned bad since the last status. A condition that
 * stays bad says so in the status alone, since an event each time would be a write at every look.
 */
import type { Condition } from '../../api/index.ts';

export interface Warning {
  /** HPA's reason where HPA has one. */
  readonly reason: string;
  readonly message: string;
}

const BAD: Readonly<Record<string, Condition['status']>> = {
  AbleToScale: 'False',
  ScalingActive: 'False',
  ConflictingScaler: 'True',
  ForecastDrift: 'True',
  Ready: 'False',
};
/** Wished by somebody, or told by an event of its own. */
const NO_NEWS = new Set(['Paused', 'GloballyPaused', 'ScalingDisabled', 'FailedUpdateScale']);

export function warningsOf(before: readonly Condition[], now: readonly Condition[]): Warning[] {
  const bad = now.filter(({ type, status, reason }) => BAD[type] === status && !NO_NEWS.has(reason));
  return bad
    .filter(({ type, status, reason }) => {
      const old = before.find((condition) => condition.type === type);
      return old?.status !== status || old.reason !== reason;
    })
    .map(({ type, reason, message }) => ({
      // The rival's kind alone would not say what is wrong.
      reason: type === 'ConflictingScaler' ? type : reason,
      message,
    }))
    .filter(
      // Ready repeats what another condition says.
      ({ reason, message }, i, all) =>
        all.findIndex((other) => other.reason === reason || other.message === message) === i,
    );
}
