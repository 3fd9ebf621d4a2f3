/** Defaults and bounds of how a model is run. */
import { ForesailError } from '../../errors.ts';
import type { Accelerator, EngineOptions } from './types.ts';

export interface ModelSettings {
  readonly accelerator: Accelerator;
  readonly instances: number;
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  readonly maxBatch: number;
  readonly maxQueueDelayMs: number;
  readonly maxQueue: number;
  readonly priorityLevels: number;
  readonly latencyTargetMs: number | undefined;
  readonly defaultTimeoutMs: number | undefined;
  readonly runDeadlineMs: number;
  readonly coldStartMs: number;
  readonly warmUpRuns: number;
  /** Undefined: from the size of the file (`memoryFor`). */
  readonly memoryMiB: number | undefined;
  readonly maxModelBytes: number;
}

export const MODEL_DEFAULTS: ModelSettings = {
  accelerator: 'auto',
  instances: 1,
  // The runtime's default threads spin: twice the CPU for little gain on models of this size.
  intraOpThreads: 1,
  interOpThreads: 1,
  maxBatch: 64,
  maxQueueDelayMs: 0,
  maxQueue: 1000,
  priorityLevels: 2,
  latencyTargetMs: undefined,
  defaultTimeoutMs: undefined,
  runDeadlineMs: 30_000,
  coldStartMs: 60_000,
  warmUpRuns: 20,
  memoryMiB: undefined,
  maxModelBytes: 1024 * 1024 * 1024,
};

type NumberKey = Exclude<keyof ModelSettings, 'accelerator'>;
const BOUNDS: Readonly<Record<NumberKey, readonly [least: number, most: number]>> = {
  instances: [1, 64],
  intraOpThreads: [1, 256],
  interOpThreads: [1, 256],
  maxBatch: [1, 65_536],
  maxQueueDelayMs: [0, 60_000],
  maxQueue: [1, 1_000_000],
  priorityLevels: [1, 16],
  latencyTargetMs: [0.001, 3_600_000],
  defaultTimeoutMs: [1, 3_600_000],
  runDeadlineMs: [1, 3_600_000],
  coldStartMs: [1, 3_600_000],
  warmUpRuns: [1, 10_000],
  memoryMiB: [16, 4_194_304],
  maxModelBytes: [1, 2 ** 32 - 2 ** 16],
};
const FRACTIONS = new Set<NumberKey>(['latencyTargetMs', 'maxQueueDelayMs']);
const ACCELERATORS = ['auto', 'cpu', 'cuda', 'tensorrt'];

/** The engine's own options, then those of the model. @throws SETTING_INVALID, its subject naming the field */
export function settingsFor(options: EngineOptions, model: string): ModelSettings {
  const own = Object.hasOwn(options.models ?? {}, model) ? options.models?.[model] : undefined;
  const pick = <K extends keyof ModelSettings>(key: K): ModelSettings[K] =>
    (own?.[key] ?? options[key] ?? MODEL_DEFAULTS[key]) as ModelSettings[K];
  const settings = Object.fromEntries(
    (Object.keys(MODEL_DEFAULTS) as (keyof ModelSettings)[]).map((key) => [key, pick(key)]),
  ) as unknown as ModelSettings;
  check(settings);
  return settings;
}

function check(settings: ModelSettings): void {
  if (!ACCELERATORS.includes(settings.accelerator)) {
    throw wrong('accelerator', `accelerator is not one of ${ACCELERATORS.join(', ')}`);
  }
  for (const [key, [least, most]] of Object.entries(BOUNDS) as [NumberKey, readonly [number, number]][]) {
    const value = settings[key];
    if (value === undefined) continue;
    const whole = FRACTIONS.has(key) || Number.isSafeInteger(value);
    if (!whole || !(value >= least && value <= most)) {
      throw wrong(key, `${key} is ${value}, not between ${least} and ${most}`);
    }
  }
}

function wrong(subject: string, message: string): ForesailError {
  return new ForesailError('SETTING_INVALID', 'terminal', message, { subject });
}

/** Room for the file twice (as read, as parsed), its working memory, and something to start with. */
export function memoryFor(settings: ModelSettings, modelBytes: number): number {
  return settings.memoryMiB ?? Math.max(1024, 512 + Math.ceil((6 * modelBytes) / 2 ** 20));
}
