/**
 * Which execution provider runs the models. A provider whose libraries are missing ends the process that asks for it, so
 * a child asks, once; and a fallback is never silent: the reason goes with the choice. Only the CPU has been run by this
 * project's tests; CUDA and TensorRT are chosen by the same steps but untested on a GPU.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Clock } from '../../clock.ts';
import { messageOf } from '../../errors.ts';
import type { Provider } from './child/protocol.ts';
import { ModelChild } from './model-child.ts';
import { MODEL_DEFAULTS } from './settings.ts';
import type { Accelerator } from './types.ts';

export interface ProviderChoice {
  readonly provider: Provider;
  readonly reason: string;
}

/** Undefined when the provider works here, else why not. */
export type ProviderProbe = (provider: Provider, signal: AbortSignal) => Promise<string | undefined>;

/** TensorRT builds an engine per model, which takes minutes: only who asks for it gets it. */
const ORDER: Readonly<Record<Accelerator, readonly Provider[]>> = {
  auto: ['cuda', 'cpu'],
  cpu: ['cpu'],
  cuda: ['cuda', 'cpu'],
  tensorrt: ['tensorrt', 'cuda', 'cpu'],
};

export async function chooseProvider(
  accelerator: Accelerator,
  probe: ProviderProbe,
  signal: AbortSignal,
): Promise<ProviderChoice> {
  const missing: string[] = [];
  for (const provider of ORDER[accelerator]) {
    // oxlint-disable-next-line no-await-in-loop -- the next one only if this one is missing
    const obstacle = provider === 'cpu' ? undefined : await probe(provider, signal);
    if (obstacle === undefined) {
      const why = missing.length === 0 ? 'the first choice works' : missing.join('; ');
      return { provider, reason: `accelerator ${accelerator}: ${why}` };
    }
    missing.push(`${provider} cannot be used: ${obstacle}`);
  }
  throw new RangeError('every list of providers ends with the CPU');
}

const LIBRARY: Readonly<Record<Exclude<Provider, 'cpu'>, string>> = {
  cuda: 'libonnxruntime_providers_cuda.so',
  tensorrt: 'libonnxruntime_providers_tensorrt.so',
};
const PROBE_DEADLINE_MS = 30_000;

/** y = Identity(x), both float32 [1]: the smallest model that makes a provider come up. */
export const IDENTITY_MODEL = Buffer.from(
  'CAhCBAoAEBI6NwoQCgF4EgF5IghJZGVudGl0eVoPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAESAWc=',
  'base64',
);

export function childProbe(clock: Clock): ProviderProbe {
  return async (provider, signal) => {
    if (provider === 'cpu') return undefined;
    const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-node'));
    const library = join(folder, '..', 'bin', 'napi-v6', process.platform, process.arch, LIBRARY[provider]);
    if (!existsSync(library)) return `${LIBRARY[provider]} is not installed`;
    const child = new ModelChild({
      clock,
      provider,
      intraOpThreads: 1,
      interOpThreads: 1,
      memoryMiB: 1024,
      runDeadlineMs: MODEL_DEFAULTS.runDeadlineMs,
      onEnd: () => undefined,
    });
    try {
      await child.load(IDENTITY_MODEL, PROBE_DEADLINE_MS, signal);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      return messageOf(error);
    } finally {
      await child.close();
    }
  };
}
