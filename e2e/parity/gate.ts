/**
 * Where both autoscalers of a sequence meet. Each asks its first metric and is held until the other one has come, the
 * tick is due and the pods on both sides are in the same state; then both get the numbers of the same tick at the same
 * moment. So the phase between them is nothing but the time that the answers take.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { podsShown } from './compare.ts';
import { TICK_MS } from './sequence.ts';
import type { Side } from './side.ts';

/** HPA has an informer of its own, which may be a moment behind ours. */
const SETTLED_MS = 600;
/** Pods that still differ then make this sequence void; on an idle machine it does not happen. */
const PATIENCE_MS = 3000;

export class Gate {
  readonly #sides: readonly [Side, Side];
  #waiting = new Map<Side, () => void>();
  #releasedAt = Number.NEGATIVE_INFINITY;
  constructor(theirs: Side, ours: Side) {
    this.#sides = [theirs, ours];
  }

  /** Resolves at once for paths that are not the first of a look. */
  async pass(path: string): Promise<void> {
    const side = this.#sides.find((each) => each.isFirstRead(path));
    if (side === undefined) return;
    side.arrive();
    const released = new Promise<void>((resolve) => {
      this.#waiting.set(side, resolve);
    });
    if (this.#waiting.size === this.#sides.length) await this.#release();
    await released;
  }

  async #release(): Promise<void> {
    const [theirs, ours] = this.#sides;
    await sleep(Math.max(0, this.#releasedAt + TICK_MS - performance.now()));
    const [left, right] = await Promise.all([
      theirs.aftermath(true),
      ours.aftermath(false),
      this.#sameWorld(),
    ]);
    this.#releasedAt = performance.now();
    const atMs = Date.now();
    const { ticks } = theirs.sequence;
    const tick = ticks[Math.min(theirs.records.length, ticks.length - 1)];
    if (tick !== undefined) {
      theirs.look(tick, atMs, left);
      ours.look(tick, atMs, right);
    }
    const waiting = [...this.#waiting.values()];
    this.#waiting = new Map();
    for (const release of waiting) release();
  }

  async #sameWorld(): Promise<void> {
    const [theirs, ours] = this.#sides;
    const giveUpAt = performance.now() + PATIENCE_MS;
    while (performance.now() < giveUpAt) {
      const quietFor = Math.min(theirs.podsQuietForMs(), ours.podsQuietForMs());
      if (quietFor >= SETTLED_MS && podsShown(theirs.pods()) === podsShown(ours.pods())) return;
      await sleep(Math.max(50, SETTLED_MS - quietFor));
    }
  }
}
