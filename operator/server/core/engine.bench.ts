/**
 * What the engine costs around a model: requests per second, latency, and processor time per request in the server and
 * in the child. Run: `node operator/server/core/engine.bench.ts` (an idle machine gives the better numbers).
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../clock.ts';
import { openEngine } from './engine.ts';
import { addModel, putVersion, twoInTwoOutModel } from './testing/models.ts';
import type { InferRequest, Tensor } from './types.ts';

const signal = new AbortController().signal;
const root = mkdtempSync(join(tmpdir(), 'foresail-engine-bench-'));
const box = new URL('../../../models/loadcast/loadcast.onnx', import.meta.url);
putVersion(root, 'add', '1', addModel());
putVersion(root, 'box', '1', readFileSync(box));
putVersion(root, 'copy', '1', twoInTwoOutModel());

function tensor(name: string, shape: readonly number[]): Tensor {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return { name, datatype: 'FP32', shape, data: new Float32Array(count).fill(5) };
}
/** A tiny model (the engine's own cost), the box model, and 4 MB each way (the cost of the pipes). */
const cases: readonly { request: InferRequest; count: number }[] = [
  { request: { model: 'add', inputs: [tensor('x', [1, 4])] }, count: 20_000 },
  {
    request: { model: 'box', inputs: [tensor('context', [1, 512]), tensor('seasonal', [1, 4, 128])] },
    count: 5000,
  },
  { request: { model: 'copy', inputs: [tensor('a', [1, 500_000]), tensor('b', [1, 500_000])] }, count: 200 },
];

/** Milliseconds of processor time that our children have used. */
function childrenMs(): number {
  let ticks = 0;
  for (const entry of readdirSync('/proc')) {
    try {
      const fields = readFileSync(`/proc/${entry}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      if (Number(fields[1]) === process.pid) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // Not a process, or gone meanwhile.
    }
  }
  return ticks * 10;
}

const opened = performance.now();
const engine = await openEngine({ repository: root, clock: systemClock, accelerator: 'cpu' }, signal);
await engine.settled(signal);
const readyMs = Math.round(performance.now() - opened);
const rows: Record<string, string | number>[] = [];
for (const { request, count } of cases) {
  for (const clients of [1, 16, 64]) {
    const latencies: number[] = [];
    const runsBefore = engine.statistics(request.model)[0]?.execution_count ?? 0;
    const [childBefore, cpuBefore, started] = [childrenMs(), process.cpuUsage(), performance.now()];
    let next = 0;
    const client = async (): Promise<void> => {
      while (next++ < count) {
        const asked = performance.now();
        // oxlint-disable-next-line no-await-in-loop -- a client asks one after the other
        await engine.infer(request, signal);
        latencies.push(performance.now() - asked);
      }
    };
    // oxlint-disable-next-line no-await-in-loop -- one measurement after the other
    await Promise.all(Array.from({ length: clients }, client));
    const seconds = (performance.now() - started) / 1000;
    const cpu = process.cpuUsage(cpuBefore);
    latencies.sort((a, b) => a - b);
    const at = (q: number): string => (latencies[Math.floor(q * latencies.length)] ?? Number.NaN).toFixed(3);
    rows.push({
      model: request.model,
      clients,
      'requests/s': Math.round(count / seconds),
      'p50 ms': at(0.5),
      'p99 ms': at(0.99),
      'server us': Math.round((cpu.user + cpu.system) / count),
      'child us': Math.round(((childrenMs() - childBefore) * 1000) / count),
      batch: (count / ((engine.statistics(request.model)[0]?.execution_count ?? 0) - runsBefore)).toFixed(1),
    });
  }
}
await engine.close(signal);
rmSync(root, { recursive: true });
process.stdout.write(`three models ready after ${readyMs} ms\n`);
process.stdout.write(`${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
