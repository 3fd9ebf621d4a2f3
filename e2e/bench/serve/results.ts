/**
 * What has been measured so far, on disk after every sample: a run that was cut off goes on where it stopped. Each
 * result has a name that says what it is of.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export class Results {
  readonly #path: string;
  readonly #values: Map<string, unknown>;
  readonly #plan: string;

  private constructor(path: string, plan: string, values: Map<string, unknown>) {
    this.#path = path;
    this.#plan = plan;
    this.#values = values;
  }

  /** @param plan what is measured and how; results of another plan are not taken up */
  static open(path: string, plan: string): Results {
    const values = new Map<string, unknown>();
    if (existsSync(path)) {
      const stored = JSON.parse(readFileSync(path, 'utf8')) as {
        plan: string;
        values: Record<string, unknown>;
      };
      if (stored.plan === plan)
        for (const [name, value] of Object.entries(stored.values)) values.set(name, value);
    }
    return new Results(path, plan, values);
  }

  get size(): number {
    return this.#values.size;
  }

  /** The stored value, else what `measure` gives, stored. What it throws is not stored. */
  async once<T>(name: string, measure: () => Promise<T>): Promise<T> {
    if (this.#values.has(name)) return this.#values.get(name) as T;
    const value = await measure();
    this.#values.set(name, value);
    mkdirSync(dirname(this.#path), { recursive: true });
    const next = `${this.#path}.next`;
    writeFileSync(next, JSON.stringify({ plan: this.#plan, values: Object.fromEntries(this.#values) }));
    renameSync(next, this.#path);
    return value;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The run is complete. */
  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
