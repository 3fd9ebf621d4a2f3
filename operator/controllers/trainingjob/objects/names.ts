/** What the objects of a run are called. */
import { TRAINING_LABELS } from '../../../api/index.ts';
import type { Stage } from '../../../training/types.ts';
import type { Attempt } from '../plan/types.ts';

export const attemptName = (run: string, attempt: number) => `${run}-${attempt}`;
export const gateName = (run: string) => `${run}-gate`;
export const tokenName = (job: string) => `${job}-token`;

export const stageOf = ({ searches }: Pick<Attempt, 'searches'>): Stage =>
  searches === true ? 'search' : 'train';

export function runLabels(run: string, stage: Stage, attempt?: number): Record<string, string> {
  return {
    [TRAINING_LABELS.job]: run,
    [TRAINING_LABELS.stage]: stage,
    ...(attempt === undefined ? {} : { [TRAINING_LABELS.attempt]: String(attempt) }),
  };
}

/** Folder of the run on its claim: another object of the same name gets another. */
export function runFolder({
  name,
  uid = '',
}: {
  readonly name: string;
  readonly uid?: string | undefined;
}): string {
  return `foresail/${name}-${uid.slice(0, 8)}`;
}
