/** From a file in the repository to a child that has passed every check. */
import type { Clock } from '../../clock.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { checkBeforeServing, type WarmUp } from './checks/before-serving.ts';
import { ownGolden, readGolden } from './checks/golden.ts';
import type { Signature } from './child/protocol.ts';
import { refused } from './errors.ts';
import { Instance } from './instance.ts';
import { ModelChild } from './model-child.ts';
import { readModelFile } from './model-file.ts';
import type { ProviderChoice } from './providers.ts';
import type { FoundVersion } from './repository.ts';
import { type ModelSettings, memoryFor } from './settings.ts';

export interface LoaderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly model: string;
  readonly found: FoundVersion;
  readonly settings: ModelSettings;
  readonly provider: ProviderChoice;
}

export interface StartedChild {
  readonly child: ModelChild;
  readonly instance: Instance;
  readonly signature: Signature;
  readonly sha256: string;
}

export interface LoadedModel {
  readonly first: StartedChild;
  readonly provider: ProviderChoice;
  readonly warmUp: WarmUp;
}

export type OnChildEnd = (child: ModelChild, message: string) => void;

/** @throws MODEL_REFUSED, BACKEND when the child ends, or the signal's reason */
export async function loadModel(
  options: LoaderOptions,
  onEnd: OnChildEnd,
  signal: AbortSignal,
): Promise<LoadedModel> {
  const { clock, settings, found } = options;
  const started = clock.monotonic();
  const { first, provider } = await startOnBestProvider(options, onEnd, signal);
  const { signature, sha256 } = first;
  const giveUp = (): void => first.child.kill('its start was given up');
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    signal.throwIfAborted();
    const golden =
      found.goldenPath === undefined
        ? ownGolden(signature)
        : await readGolden(found.goldenPath, signature, sha256);
    const warmUp = await checkBeforeServing(
      first.instance,
      signature,
      golden,
      {
        clock,
        runs: settings.warmUpRuns,
        maxBatch: settings.maxBatch,
        latencyTargetMs: settings.latencyTargetMs,
        coldStart: { startedAt: started, budgetMs: settings.coldStartMs },
      },
      signal,
    );
    return { first, provider, warmUp };
  } catch (error) {
    first.child.kill('it did not pass its checks');
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** A GPU that does not take this model is no reason not to serve it, but one to say so. */
async function startOnBestProvider(
  options: LoaderOptions,
  onEnd: OnChildEnd,
  signal: AbortSignal,
): Promise<{ first: StartedChild; provider: ProviderChoice }> {
  const { provider, model, found, logger } = options;
  try {
    return { first: await startChild(options, provider, undefined, onEnd, signal), provider };
  } catch (error) {
    if (provider.provider === 'cpu' || signal.aborted) throw error;
    const reason = `${provider.provider} does not take the model: ${messageOf(error)}`.slice(0, 300);
    logger.warn('the model falls back to the CPU', { model, version: found.version, reason });
    const onCpu: ProviderChoice = { provider: 'cpu', reason };
    return { first: await startChild(options, onCpu, undefined, onEnd, signal), provider: onCpu };
  }
}

/**
 * @param sha256 what the file had at its checks; a later child gets no other bytes
 * @throws MODEL_REFUSED, BACKEND when the child ends, or the signal's reason
 */
export async function startChild(
  options: LoaderOptions,
  provider: ProviderChoice,
  sha256: string | undefined,
  onEnd: OnChildEnd,
  signal: AbortSignal,
): Promise<StartedChild> {
  const { clock, settings, found } = options;
  const file = await readModelFile(found.modelPath, settings.maxModelBytes, signal);
  if (sha256 !== undefined && file.sha256 !== sha256) {
    throw refused('DigestMismatch', `the file now has sha256 ${file.sha256}, it was checked with ${sha256}`);
  }
  const child = new ModelChild({
    clock,
    provider: provider.provider,
    intraOpThreads: settings.intraOpThreads,
    interOpThreads: settings.interOpThreads,
    memoryMiB: memoryFor(settings, file.bytes.byteLength),
    runDeadlineMs: settings.runDeadlineMs,
    onEnd: (message) => onEnd(child, message),
  });
  try {
    const signature = await child.load(file.bytes, settings.coldStartMs, signal);
    return { child, instance: new Instance(child, signature, clock), signature, sha256: file.sha256 };
  } catch (error) {
    child.kill('it was not loaded');
    throw error;
  }
}

/**
 * One more child of a file that has been checked: it only has to run.
 * @throws as `startChild`
 */
export async function startWarmChild(
  options: LoaderOptions,
  loaded: LoadedModel,
  onEnd: OnChildEnd,
  signal: AbortSignal,
): Promise<StartedChild> {
  const next = await startChild(options, loaded.provider, loaded.first.sha256, onEnd, signal);
  const giveUp = (): void => next.child.kill('its start was given up');
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    signal.throwIfAborted();
    await next.instance.run([loaded.warmUp.probe]);
    return next;
  } catch (error) {
    next.child.kill('it did not pass its warm-up');
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
