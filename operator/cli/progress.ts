/**
 * How far a long run is: on a terminal one line that changes, elsewhere (a log) a line for each part that is done.
 * Parts may run side by side; then the line tells of all that run.
 */

const PERIOD_MS = 100;
const DEFAULT_COLUMNS = 80;

export type ProgressOutput = Pick<NodeJS.WriteStream, 'write'> & { isTTY?: boolean; columns?: number };

export class Progress {
  readonly #out: ProgressOutput;
  /** What runs, and how far it is in per cent. */
  readonly #running = new Map<string, number>();
  readonly #told = new Set<string>();
  #parts = { done: 0, all: 0 };
  #shownAt = Number.NEGATIVE_INFINITY;
  #open = false;

  constructor(out: ProgressOutput) {
    this.#out = out;
  }

  /** So many parts are to come; each is over with `partDone`. */
  expect(parts: number): void {
    this.#parts = { done: 0, all: parts };
  }

  show(what: string, done: number, all: number): void {
    if (done < all) this.#running.set(what, Math.floor((100 * done) / all));
    else this.#running.delete(what);
    if (this.#out.isTTY === true) this.#draw();
    else if (done >= all && !this.#told.has(what)) {
      this.#told.add(what);
      this.note(`${what}: done`);
    }
  }

  /** Also of a part that ended early; what was shown of it is called `name` or begins with `name:`. */
  partDone(name: string): void {
    this.#parts.done += 1;
    for (const what of this.#running.keys())
      if (what === name || what.startsWith(`${name}:`)) this.#running.delete(what);
    if (this.#out.isTTY === true) this.#draw();
    else this.note(`${this.#count()}${name}`);
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

  #draw(): void {
    const now = performance.now();
    if (now - this.#shownAt < PERIOD_MS) return;
    this.#shownAt = now;
    const running = [...this.#running].map(([what, percent]) => `${what} ${percent} %`);
    // A terminal that does not know its width says 0.
    const columns = this.#out.columns || DEFAULT_COLUMNS;
    const line = `${this.#count()}${running.join(', ')}`.slice(0, columns - 1);
    this.#out.write(`\r\u001b[K${line}`);
    this.#open = true;
  }

  #count(): string {
    const { done, all } = this.#parts;
    return all === 0 ? '' : `${done}/${all} `;
  }
}
