/**
 * How far a long run is: on a terminal one line that changes, elsewhere (a log) a line for each part that is done.
 */

const PERIOD_MS = 100;

export class Progress {
  readonly #out: NodeJS.WriteStream;
  #shownAt = 0;
  #open = false;
  #last = '';

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(what: string, done: number, all: number): void {
    if (!this.#out.isTTY) {
      if (done >= all && what !== this.#last) this.note(`${what}: done`);
      if (done >= all) this.#last = what;
      return;
    }
    const now = performance.now();
    if (done < all && now - this.#shownAt < PERIOD_MS) return;
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
