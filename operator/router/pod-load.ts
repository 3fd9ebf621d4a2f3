/** How many requests each pod has at once, so that no pod gets more than it can ever work through. */
export class PodLoad {
  readonly #most: number;
  readonly #underWay = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  isFull(origin: string): boolean {
    return (this.#underWay.get(origin) ?? 0) >= this.#most;
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
