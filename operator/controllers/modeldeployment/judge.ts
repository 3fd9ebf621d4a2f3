/** What the reconciler asks of a judge: plain answers about two versions, from whoever scores them. */
import type { JudgeStatus, ModelDeployment } from '../../api/index.ts';
import type { Pair } from '../../rollout/compared.ts';
import type { Judgement } from '../../rollout/types.ts';

/** A judgement with what people want to see of it. */
export interface FullJudgement extends Judgement {
  readonly details?: Omit<JudgeStatus, 'verdict' | 'labels' | 'message'> | undefined;
}

export interface Compared extends Pair {
  /** Its spec says how sure the judge must be, and what its guards are. */
  readonly object: ModelDeployment;
}

export interface Judge {
  /** Undefined while nothing was scored of the two. */
  judgementOf(compared: Compared): FullJudgement | undefined;
}

export function judgeStatus({ verdict, labels, message, details }: FullJudgement): JudgeStatus {
  return { ...details, verdict, labels, ...(message === undefined ? {} : { message }) };
}
