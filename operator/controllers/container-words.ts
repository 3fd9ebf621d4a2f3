/** What the kubelet's words for a container, and the container's own, are worth to a reader of a status. */

const MOST_WORDS = 300;
/** Every pod passes through these on its way; they say nothing. */
const USUAL = new Set(['PodInitializing', 'ContainerCreating']);

/** Why a container waits; undefined where that is its usual way. */
export function troubleOf(reason: string | undefined): string | undefined {
  return reason === undefined || USUAL.has(reason) ? undefined : reason;
}

/** A program that fails says why at the end. */
export function lastLine(message: string | undefined): string | undefined {
  const line = message?.trim().split('\n').at(-1)?.trim();
  return line === undefined || line === '' ? undefined : line.slice(0, MOST_WORDS);
}
