/** Is a run worth comparing? One in which little happens would agree with anything. */

/** One look, as seen from outside: what ran, and HPA's reasons after it. */
export interface Look {
  readonly replicas: number;
  readonly ableToScale: string;
  readonly scalingActive: string;
  readonly scalingLimited: string;
}

export interface Content {
  readonly rises: number;
  readonly falls: number;
  readonly stabilisedHolds: number;
  readonly rateLimitedSteps: number;
}

export function contentOf(looks: readonly Look[]): Content {
  const content = { rises: 0, falls: 0, stabilisedHolds: 0, rateLimitedSteps: 0 };
  for (const [index, look] of looks.entries()) {
    const next = looks[index + 1];
    if (next === undefined) break;
    const change = next.replicas - look.replicas;
    if (change > 0) content.rises += 1;
    if (change < 0) content.falls += 1;
    if (change === 0 && /^Scale(Up|Down)Stabilized$/.test(look.ableToScale)) content.stabilisedHolds += 1;
    if (change !== 0 && /^Scale(Up|Down)Limit$/.test(look.scalingLimited)) content.rateLimitedSteps += 1;
  }
  return content;
}

export function isInteresting({ rises, falls, stabilisedHolds, rateLimitedSteps }: Content): boolean {
  return rises >= 3 && falls >= 3 && stabilisedHolds >= 1 && rateLimitedSteps >= 1;
}
