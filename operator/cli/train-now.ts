/**
 * What `foresail train now` makes: a run of a TrainingJob that repeats, as its schedule would make it, so that its policy
 * and its history limits hold for it too.
 */
import { runName, runOf, TRAINING_DISABLED, type TrainingJob, triggersOf } from '../api/index.ts';
import { ForesailError } from '../errors.ts';

export interface ManualRun {
  readonly run: ReturnType<typeof runOf>;
  /** Runs that give way to it. */
  readonly replaced: readonly string[];
}

/**
 * @throws ForesailError TRAINING_REFUSED for one that makes no runs, while a run goes on that must not be joined, and where
 * training is switched off
 */
export function manualRun(object: TrainingJob, nowMs: number): ManualRun {
  const { metadata, spec, status } = object;
  const triggers = triggersOf(spec);
  if (triggers === undefined)
    throw refused(
      `${metadata.name} has neither schedule nor triggers: it is a run itself, and starts by itself`,
    );
  const off = status?.conditions?.find(({ reason }) => reason === TRAINING_DISABLED);
  if (off !== undefined) throw refused(off.message);
  const active = (status?.runs ?? []).filter(({ endedAt }) => endedAt === undefined).map(({ name }) => name);
  const [first] = active;
  if (first !== undefined && triggers.concurrencyPolicy === 'Forbid')
    throw refused(`${first} goes on, and concurrencyPolicy is Forbid`);
  return { run: runOf(object, runName(metadata.name, nowMs), 'Manual'), replaced: active };
}

function refused(message: string): ForesailError {
  return new ForesailError('TRAINING_REFUSED', 'terminal', message);
}
