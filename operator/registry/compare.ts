/** Two versions side by side: what was made of what, and what came of it. */
import type { RegisteredVersion } from './model-index.ts';
import { factsOf } from './version-entry.ts';

export type Fact = string | number | null;

/** One line of a comparison; undefined where a version does not say. */
export interface Difference {
  readonly part: 'lineage' | 'score' | 'tag';
  readonly name: string;
  readonly before: Fact | undefined;
  readonly after: Fact | undefined;
  /** After to before minus 1, of numbers other than 0. */
  readonly change: number | undefined;
}

/** What differs, in the order in which the newer version tells it; scores that are equal are told too. */
export function differencesOf(before: RegisteredVersion, after: RegisteredVersion): Difference[] {
  const [a, b] = [factsOf(before), factsOf(after)];
  return [
    ...linesOf('lineage', a.lineage, b.lineage).filter(differs),
    ...linesOf('score', a.scores, b.scores),
    ...linesOf('tag', a.tags, b.tags).filter(differs),
  ];
}

function differs({ before, after }: Difference): boolean {
  return before !== after;
}

function linesOf(
  part: Difference['part'],
  before: Readonly<Record<string, Fact>>,
  after: Readonly<Record<string, Fact>>,
): Difference[] {
  const names = new Set([...Object.keys(after), ...Object.keys(before)]);
  return [...names].map((name) => {
    // A name may be that of something that every object has.
    const [was, is] = [before, after].map((facts) => (Object.hasOwn(facts, name) ? facts[name] : undefined));
    const change = typeof was === 'number' && typeof is === 'number' && was !== 0 ? is / was - 1 : undefined;
    return { part, name, before: was, after: is, change };
  });
}
