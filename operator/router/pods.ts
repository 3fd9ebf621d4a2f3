/** Which pod of a version is asked next: in turn, none that has all it may have, those that could not be reached last. */

export interface PodLimits {
  /** Requests and copies under way at one pod. */
  readonly maxPerPod: number;
  /** A pod that could not be reached is left out for so long. */
  readonly avoidMs: number;
}

export class Pods {
  readonly #limits: PodLimits;
  readonly #random: () => number;
  readonly #underWay = new Map<string, number>();
  /** Origins that could not be reached, and until when they are left out. */
  readonly #avoided = new Map<string, number>();
  /** Whose turn it is: per version, or requests and copies in a fixed order would always meet the same pods. */
  readonly #turns = new WeakMap<object, number>();

  constructor(limits: PodLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** @param of what the turns are counted for; forgotten with it */
  order(of: object, origins: readonly string[]): string[] {
    const turn = this.#turns.get(of) ?? Math.floor(this.#random() * origins.length);
    this.#turns.set(of, turn + 1);
    const start = turn % origins.length;
    const turned = [...origins.slice(start), ...origins.slice(0, start)];
    const now = performance.now();
    for (const [origin, until] of this.#avoided) if (until <= now) this.#avoided.delete(origin);
    const able = turned.filter((origin) => (this.#underWay.get(origin) ?? 0) < this.#limits.maxPerPod);
    return able.sort((a, b) => Number(this.#avoided.has(a)) - Number(this.#avoided.has(b)));
  }

  avoid(origin: string): void {
    this.#avoided.set(origin, performance.now() + this.#limits.avoidMs);
  }

  begin(origin: string): void {
    this.#underWay.set(origin, (this.#underWay.get(origin) ?? 0) + 1);
  }

  end(origin: string): void {
    const left = (this.#underWay.get(origin) ?? 0) - 1;
    // Pods come and go: one without requests is forgotten.
    if (left > 0) this.#underWay.set(origin, left);
    else this.#underWay.delete(origin);
  }
}
