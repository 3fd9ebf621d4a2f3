/**
 * What each verb of `foresail rollout` writes: a person's word in `spec.rollout`, about the version that it is about.
 * One word at a time: the one that was given before is taken back.
 */
import type { ModelDeployment, RolloutSpec } from '../api/index.ts';
import { ForesailError } from '../errors.ts';

export const VERBS = ['promote', 'abort', 'retry', 'undo', 'pause', 'resume'] as const;
export type Verb = (typeof VERBS)[number];

export interface VerbFlags {
  /** Of promote: all steps instead of the one that it is at. */
  readonly full?: boolean;
  /** Of undo: the version to return to. */
  readonly to?: number;
}

export interface Word {
  /** Goes under `spec.rollout`. */
  readonly patch: Readonly<Record<string, unknown>>;
  /** What will happen, for the terminal. */
  readonly text: string;
}

type WordName = keyof Pick<RolloutSpec, 'promote' | 'abort' | 'retry' | 'undo'>;

const NO_WORD: Record<WordName, null> = { promote: null, abort: null, retry: null, undo: null };

/** @throws ForesailError ROLLOUT_REFUSED when there is nothing that the verb could be about */
export function wordOf(verb: Verb, object: ModelDeployment, flags: VerbFlags = {}): Word {
  switch (verb) {
    case 'pause':
      return { patch: { paused: true }, text: 'paused: no step begins and nothing is promoted' };
    case 'resume':
      return { patch: { paused: false }, text: 'resumed' };
    case 'promote':
      return promote(object, flags.full === true);
    case 'abort': {
      const { version } = canaryOf(object, 'abort');
      return say({ abort: { version } }, `version ${version} goes back`);
    }
    case 'retry':
      return retry(object);
    case 'undo':
      return undo(object, flags.to);
  }
}

function say(words: Partial<Record<WordName, object>>, text: string): Word {
  return { patch: { ...NO_WORD, ...words }, text };
}

function promote(object: ModelDeployment, full: boolean): Word {
  const { version, step, steps } = canaryOf(object, 'promote');
  if (full || step >= steps)
    // The patch is merged: a step that was named before must be taken back.
    return say(
      { promote: { version, step: null } },
      `version ${version} is promoted as soon as all its pods are ready`,
    );
  return say({ promote: { version, step } }, `version ${version} goes on after step ${step}`);
}

function retry(object: ModelDeployment): Word {
  const newest = newestOf(object);
  const gaveUp = newest !== undefined && ['Aborted', 'RolledBack', 'Undone'].includes(newest.outcome);
  if (!gaveUp) throw refused('the newest version did not go back, so there is nothing to try anew');
  const { version } = newest;
  return say({ retry: { version } }, `version ${version} is tried anew as version ${version + 1}`);
}

function undo(object: ModelDeployment, to: number | undefined): Word {
  const newest = newestOf(object);
  if (newest === undefined) throw refused('no version has begun yet');
  const { history = [], stable, canary } = object.status ?? {};
  const candidates = history.filter(
    ({ version, proven, outcome }) =>
      proven === true &&
      version !== newest.version &&
      !['Aborted', 'RolledBack', 'Undone'].includes(outcome) &&
      // What serves already is what a rollout in progress is undone to.
      (version !== stable?.version || canary !== undefined),
  );
  const target = to === undefined ? candidates.at(-1) : candidates.find(({ version }) => version === to);
  if (target === undefined && candidates.length === 0)
    throw refused(`no version before version ${newest.version} can serve again, so there is nothing to undo`);
  if (target === undefined) {
    const known = candidates.map(({ version }) => version).join(', ');
    throw refused(`version ${to} cannot be returned to; these can: ${known}`);
  }
  return say(
    { undo: { version: newest.version, to: target.version } },
    `version ${target.version} serves again, in place of version ${newest.version}`,
  );
}

function newestOf({ status }: ModelDeployment) {
  return status?.history?.toSorted((a, b) => a.version - b.version).at(-1);
}

function canaryOf({ status, metadata }: ModelDeployment, verb: string) {
  if (status?.canary === undefined)
    throw refused(`${metadata.name} rolls nothing out, so there is nothing to ${verb}`);
  return status.canary;
}

function refused(message: string): ForesailError {
  return new ForesailError('ROLLOUT_REFUSED', 'terminal', message);
}
