/** Which version answers a request, and which gets a copy of it. Pure: chance and callers come in from outside. */
import { createHash } from 'node:crypto';
import type { Route, VersionRoute } from './routes.ts';

/** What a request says of itself that its version may depend on. */
export interface Caller {
  /** The variant that it asks for. */
  readonly name?: string;
  /** What it has in common with the others that must get the same version. */
  readonly key?: string;
}

const STABLE = 'stable';

/**
 * The version that is asked for by name; else that of the caller's key; else one by weight. One without a ready pod gets
 * nothing; its share goes to stable, or, where stable has none either, to the others by their weights.
 *
 * @param random in [0, 1)
 * @returns undefined when no version with a weight can answer
 */
export function chooseVersion(
  route: Route,
  { name, key }: Caller,
  random: () => number,
): VersionRoute | undefined {
  const { versions, stable } = route;
  const backstop = versions.find((each) => each.version === stable && isAble(each));
  const named = name === undefined ? undefined : versions.find((each) => nameOf(each, route) === name);
  if (named !== undefined)
    return isAble(named) ? named : (backstop ?? byWeight(versions, undefined, random()));
  if (key === undefined) return byWeight(versions, backstop, random());
  const own = byKey(versions, key, route);
  if (own !== undefined && isAble(own)) return own;
  return backstop ?? byKey(versions.filter(isAble), key, route);
}

/** Versions other than the one that answers, by their own share and chance. */
export function chooseMirrors(
  { versions }: Route,
  answering: number,
  random: () => number,
): readonly VersionRoute[] {
  return versions.filter(
    (each) => each.version !== answering && isAble(each) && 100 * random() < each.mirrorPercent,
  );
}

function byWeight(
  versions: readonly VersionRoute[],
  backstop: VersionRoute | undefined,
  at: number,
): VersionRoute | undefined {
  const able = versions.filter((each) => each.weight > 0 && isAble(each));
  let left = at * sumOf(backstop === undefined ? able : versions);
  for (const version of able) {
    left -= version.weight;
    if (left < 0) return version;
  }
  return backstop ?? able.at(-1);
}

/**
 * Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): each version draws a number from the key, and the
 * highest of -weight / ln(number) wins. So a change of one weight moves callers to or from that version alone, and a
 * variant keeps its callers when its file changes.
 */
function byKey(versions: readonly VersionRoute[], key: string, route: Route): VersionRoute | undefined {
  const salt = `${route.namespace}/${route.name}`;
  let best: VersionRoute | undefined;
  let most = 0;
  for (const version of versions) {
    if (version.weight === 0) continue;
    const score = -version.weight / Math.log(uniformOf(JSON.stringify([salt, nameOf(version, route), key])));
    if (best === undefined || score > most) [best, most] = [version, score];
  }
  return best;
}

/** The same text always has the same place in (0, 1). */
function uniformOf(text: string): number {
  return (createHash('sha256').update(text).digest().readUInt32BE(0) + 0.5) / 2 ** 32;
}

function nameOf({ name, version }: VersionRoute, { stable }: Route): string {
  return name ?? (version === stable ? STABLE : String(version));
}

function isAble({ endpoints }: VersionRoute): boolean {
  return endpoints.length > 0;
}

function sumOf(versions: readonly VersionRoute[]): number {
  return versions.reduce((sum, { weight }) => sum + weight, 0);
}
