/** Which version answers a request, and which gets a copy of it. Pure: chance and keys come in from outside. */
import { createHash } from 'node:crypto';
import type { Route, VersionRoute } from './routes.ts';

/**
 * A version by weight. One without a ready pod gets nothing; its share goes to stable, or, where stable has none
 * either, to the others by their weights.
 *
 * @param at in [0, 1): uniform chance, or `stickyShare` of a caller
 * @returns undefined when no version with a weight can answer
 */
export function chooseVersion({ versions, stable }: Route, at: number): VersionRoute | undefined {
  const able = versions.filter(({ weight, endpoints }) => weight > 0 && endpoints.length > 0);
  const backstop = versions.find(({ version, endpoints }) => version === stable && endpoints.length > 0);
  let left = at * (backstop === undefined ? sumOf(able) : sumOf(versions));
  // In the order of versions, so that a sticky caller changes sides once at most while a weight grows.
  for (const version of able) {
    left -= version.weight;
    if (left < 0) return version;
  }
  return backstop ?? able.at(-1);
}

/** Versions other than the one that answers, by their own share and chance. */
export function chooseMirrors(
  { versions }: Route,
  answering: number,
  random: () => number,
): readonly VersionRoute[] {
  return versions.filter(
    ({ version, mirrorPercent, endpoints }) =>
      version !== answering && endpoints.length > 0 && 100 * random() < mirrorPercent,
  );
}

/** The same value always lands at the same place of [0, 1). */
export function stickyShare(value: string): number {
  return createHash('sha256').update(value).digest().readUInt32BE(0) / 2 ** 32;
}

function sumOf(versions: readonly VersionRoute[]): number {
  return versions.reduce((sum, { weight }) => sum + weight, 0);
}
