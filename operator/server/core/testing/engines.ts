/** Engines over a folder of their own for tests, closed and removed after each. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../clock.ts';
import { openEngine } from '../engine.ts';
import type { Engine, EngineOptions, InferRequest, ModelState, RequestEvent, Tensor } from '../types.ts';

export const never = new AbortController().signal;

export interface Bench {
  readonly root: string;
  /** Opens over `root` and waits until nothing is loading. */
  open(options?: Partial<EngineOptions>): Promise<Engine>;
  readonly events: RequestEvent[];
  readonly states: ModelState[];
  end(): Promise<void>;
}

export function newBench(): Bench {
  const root = mkdtempSync(join(tmpdir(), 'foresail-engine-'));
  const engines: Engine[] = [];
  const events: RequestEvent[] = [];
  const states: ModelState[] = [];
  return {
    root,
    events,
    states,
    async open(options = {}) {
      const engine = await openEngine(
        {
          repository: root,
          clock: systemClock,
          accelerator: 'cpu',
          restartBackoffMs: 20,
          pollIntervalMs: 50,
          warmUpRuns: 3,
          observer: { onRequest: (event) => events.push(event), onState: (state) => states.push(state) },
          ...options,
        },
        never,
      );
      engines.push(engine);
      await engine.settled(never);
      return engine;
    },
    async end() {
      await Promise.all(engines.map((engine) => engine.close(never)));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** A request with one float input `x`; its first dimension are the rows. */
export function floatsRequest(
  model: string,
  rows: readonly (readonly number[])[],
  over: Partial<InferRequest> = {},
): InferRequest {
  const x: Tensor = {
    name: 'x',
    datatype: 'FP32',
    shape: [rows.length, rows[0]?.length ?? 0],
    data: Float32Array.from(rows.flat()),
  };
  return { model, inputs: [x], ...over };
}

export function numbersOf(tensor: Tensor | undefined): number[] {
  return Array.from((tensor?.data ?? []) as ArrayLike<number>, Number);
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`this did not come: ${what}`);
    // oxlint-disable-next-line no-await-in-loop -- polling
    await systemClock.sleep(10);
  }
}
