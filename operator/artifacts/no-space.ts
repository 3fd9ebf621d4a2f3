/** A volume without room is nobody's fault and passes when somebody makes some: whoever can wait for that has to know it. */

const CODES = new Set(['ENOSPC', 'EDQUOT']);

/** However deep it stands among the causes. A store behind HTTP has no such word: that it is full is an answer like others. */
export function isNoSpace(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if (CODES.has((at as NodeJS.ErrnoException).code ?? '')) return true;
  return false;
}
