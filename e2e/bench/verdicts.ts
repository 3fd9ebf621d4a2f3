/**
 * What the verdicts cost: each scaler's past of two weeks and more is replayed now and then with its own forecast and
 * with plain HPAs. The real scheduler, thread and model; only the rests between two replays are left out, since CPU is
 * measured here and not patience. How long a round over a whole fleet takes with them is computed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parsePredictiveScaler } from '../../operator/api/index.ts';
import { type Clock, systemClock } from '../../operator/clock.ts';
import { parseConfig } from '../../operator/config.ts';
import { seriesKeyOf } from '../../operator/controllers/predictivescaler/outlook.ts';
import { createScalerMemories } from '../../operator/controllers/predictivescaler/scaler-memory.ts';
import {
  createVerdicts,
  REST,
  type VerdictRequest,
} from '../../operator/controllers/predictivescaler/verdicts.ts';
import { decisionSpec } from '../../operator/decision/from-spec.ts';
import { HPA_DEFAULTS } from '../../operator/decision/reactive/tuning.ts';
import { MemoryHistory } from '../../operator/history/memory-store.ts';
import { openModel } from '../../operator/inference/model.ts';
import { silentLogger } from '../../operator/logger.ts';
import { createReplayer } from '../../operator/replay/replayer.ts';
import { generatedTraces } from '../../operator/simulate/generated.ts';
import { predictiveScaler } from './fleet.ts';

export interface VerdictFigures {
  /** Scalers whose past was replayed, and days of that past. */
  readonly scalers: number;
  readonly days: number;
  readonly cpuSecondsPerVerdict: number;
  readonly secondsPerVerdict: number;
  /** Growth of this process's resident memory at its height: the thread that replays. */
  readonly rssGrowthMiB: number;
  /** Per scaler and day in a fleet of one: a replay every `verdict.every`. */
  readonly cpuSecondsPerDay: number;
  /** A fleet in which replays follow each other, with their rests. */
  readonly fleet: {
    readonly scalers: number;
    /** Hours between two verdicts on one scaler. */
    readonly roundHours: number;
    readonly cpuSecondsPerScalerDay: number;
    readonly cores: number;
  };
}

const DAYS = 18;
const MINUTE = 60_000;
const DAY_SECONDS = 86_400;
const BOX_FILE = new URL('../../models/loadcast/loadcast.onnx', import.meta.url).pathname;

/** @param sampled scalers that are replayed: a few seconds each; @param fleet scalers that the round is computed for */
export async function benchVerdicts(
  sampled: number,
  fleet: number,
  signal: AbortSignal,
): Promise<VerdictFigures> {
  const config = parseConfig({}, 'defaults');
  const history = new MemoryHistory({ now: () => Date.now() });
  const model = await openModel({ path: BOX_FILE }, { clock: systemClock });
  const requests = requestsOf(sampled, history, config.forecast.defaultLeadTime, model.id);
  const replayer = createReplayer({ clock: systemClock });
  const verdicts = createVerdicts({
    replayer,
    history,
    clock: restless,
    log: silentLogger,
    everyMs: 1,
    metricDelayMs: config.forecast.metricDelay,
    tuning: HPA_DEFAULTS,
    model,
    signal,
  });
  const highest = watchMemory();
  try {
    const ask = (): void => requests.forEach((request) => void verdicts.of(request));
    ask();
    await sleep(10, undefined, { signal });
    const cpu = process.cpuUsage();
    const startedAt = performance.now();
    ask();
    while (requests.some(({ memory }) => memory.verdict === undefined))
      // oxlint-disable-next-line no-await-in-loop -- until all have theirs
      await sleep(20, undefined, { signal });
    const seconds = (performance.now() - startedAt) / 1000 / sampled;
    const { user, system } = process.cpuUsage(cpu);
    const cpuSeconds = (user + system) / 1e6 / sampled;
    const everySeconds = config.verdict.every / 1000;
    const roundSeconds = Math.max(fleet * seconds * (1 + REST), everySeconds);
    return {
      scalers: sampled,
      days: DAYS,
      cpuSecondsPerVerdict: cpuSeconds,
      secondsPerVerdict: seconds,
      rssGrowthMiB: highest() / 1024 ** 2,
      cpuSecondsPerDay: (cpuSeconds * DAY_SECONDS) / everySeconds,
      fleet: {
        scalers: fleet,
        roundHours: roundSeconds / 3600,
        cpuSecondsPerScalerDay: (cpuSeconds * DAY_SECONDS) / roundSeconds,
        cores: (fleet * cpuSeconds) / roundSeconds,
      },
    };
  } finally {
    highest();
    await replayer.close();
    await model.close();
  }
}

/** Real time without the rests. */
const restless: Clock = { ...systemClock, after: (_, fn) => systemClock.after(0, fn) };

function requestsOf(count: number, history: MemoryHistory, leadMs: number, model: string): VerdictRequest[] {
  const memories = createScalerMemories(
    () => undefined,
    () => 0,
  );
  const now = Math.floor(Date.now() / MINUTE) * MINUTE;
  return Array.from({ length: count }, (_, i) => {
    const { metadata, spec } = parsePredictiveScaler(predictiveScaler(i, 'Auto'));
    const memory = memories.of(metadata.name, `uid-${i}`, metadata.name);
    const decision = decisionSpec(spec, HPA_DEFAULTS);
    const coverage = Number(spec.forecast.coverage);
    for (const plan of decision.metrics) {
      const key = seriesKeyOf(memory.uid, plan);
      // Each of the generated loads in turn, always with another seed.
      const loads = generatedTraces(DAYS, i + 1);
      const { values } = loads[i % loads.length] ?? { values: new Float64Array(0) };
      history.declare(key, { stepMs: MINUTE });
      history.fill(key, { startMs: now - values.length * MINUTE, stepMs: MINUTE, values });
      memory.learned.forecast(plan, MINUTE, coverage, model);
    }
    const more = { views: [], learnedCapacityMilli: decision.metrics.map(() => undefined) };
    return { key: metadata.name, memory, spec: decision, coverage, leadMs, nowMs: now, ...more };
  });
}

/** The returned function ends it and says by how much the resident memory grew at most. */
function watchMemory(): () => number {
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 100);
  return () => {
    clearInterval(timer);
    return most - before;
  };
}
