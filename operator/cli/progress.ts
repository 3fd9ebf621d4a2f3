/** One line on a terminal that tells how far a long run is; on anything else than a terminal only notes are written. */

const PERIOD_MS = 100;

export class Progress {
  readonly #out: NodeJS.WriteStream;
  #shownAt = 0;
  #open = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(what: string, done: number, all: number): void {
    const now = performance.now();
    if (!this.#out.isTTY || (done < all && now - this.#shownAt < PERIOD_MS)) return;
    this.#shownAt = now;
    this.#out.write(`\r\u001b[K${what} ${Math.floor((100 * done) / Math.max(all, 1))} %`);
    this.#open = true;
  }

  /** A line that stays. */
  note(line: string): void {
    this.end();
    this.#out.write(`${line}\n`);
  }

  /** Clears the line. */
  end(): void {
    if (this.#open) this.#out.write('\r\u001b[K');
    this.#open = false;
  }
}
