/**
 * Answers of identical requests, from memory. The key holds the version that would answer and the digest of its file, so a
 * reload can never bring an old answer back; the inputs count by their bytes. Requests that come while the same question
 * is being answered wait for that answer. Models that draw random numbers, failures, and answers too large stay out.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isForesailError } from '../../errors.ts';
import { rawBytes } from '../core/tensors.ts';
import { type Engine, type InferAnswer, type InferRequest, PROPERTY } from '../core/types.ts';
import type { CallInfo, Infer } from './infer.ts';
import { ownCopy } from './own-copy.ts';
import { tensorBytes } from './tensor-bytes.ts';

export interface CacheObserver {
  hit(model: string, version: string): void;
  miss(model: string, version: string): void;
}

export interface ResponseCache {
  readonly infer: Infer;
  readonly bytes: number;
  readonly entries: number;
}

/** Of the whole cache; one answer must not push out all others. */
const LARGEST_SHARE = 1 / 8;
/** What an entry takes besides its tensors, about. */
const ENTRY_BYTES = 512;

export function createResponseCache(
  engine: Pick<Engine, 'metadata'>,
  next: Infer,
  maxBytes: number,
  observer: CacheObserver,
): ResponseCache {
  const answers = new LRUCache<string, InferAnswer>({
    maxSize: maxBytes,
    maxEntrySize: Math.max(1, Math.floor(maxBytes * LARGEST_SHARE)),
    sizeCalculation: ({ outputs }) => ENTRY_BYTES + tensorBytes(outputs),
  });
  const running = new Map<string, Run>();

  async function infer(request: InferRequest, call: CallInfo, signal: AbortSignal): Promise<InferAnswer> {
    const served = servedBy(engine, request);
    if (served === undefined) return await next(request, call, signal);
    const { version } = served;
    const key = keyOf(request, version, served.digest);
    const known = answers.get(key);
    if (known !== undefined) {
      observer.hit(request.model, version);
      return ownCopy(known);
    }
    // Who waits for another's run shares its place in the queue and its time.
    const runKey = `${key} ${request.priority ?? 0} ${request.timeoutMs ?? 0}`;
    for (let other = running.get(runKey); other !== undefined; other = running.get(runKey)) {
      // oxlint-disable-next-line no-await-in-loop -- again only when the one that was waited for went away
      const shared = await joined(other, signal);
      if (shared === undefined) continue;
      observer.hit(request.model, version);
      return ownCopy(shared);
    }
    observer.miss(request.model, version);
    const run: Run = { answer: next({ ...request, version }, call, signal) };
    running.set(runKey, run);
    try {
      const answer = await run.answer;
      answers.set(key, ownCopy(answer));
      return answer;
    } finally {
      if (running.get(runKey) === run) running.delete(runKey);
    }
  }

  return {
    infer,
    get bytes() {
      return answers.calculatedSize;
    },
    get entries() {
      return answers.size;
    },
  };
}

interface Run {
  readonly answer: Promise<InferAnswer>;
}

/**
 * The other's answer; undefined when that ended by what was its alone (its caller went, its time was over), so that this
 * one has to ask for itself.
 * @throws what the model or the queue answered to the other, which would be the same again; the signal's reason
 */
async function joined(run: Run, signal: AbortSignal): Promise<InferAnswer | undefined> {
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
    run.answer
      .then(resolve, (error: unknown) => {
        const own = !isForesailError(error) || error.code === 'DEADLINE';
        if (own) resolve(undefined);
        else reject(error);
      })
      .finally(() => signal.removeEventListener('abort', leave));
  });
}

/** Undefined: not to be kept, or there is no such model, which the engine says better. */
function servedBy(
  engine: Pick<Engine, 'metadata'>,
  { model, version }: InferRequest,
): { version: string; digest: string } | undefined {
  try {
    const { versions, properties } = engine.metadata(model, version);
    const answering = version === undefined || version === '' ? versions.at(-1) : version;
    const digest = properties[PROPERTY.digest];
    if (answering === undefined || digest === undefined) return undefined;
    return properties[PROPERTY.deterministic] === 'true' ? { version: answering, digest } : undefined;
  } catch {
    return undefined;
  }
}

function keyOf({ model, inputs, outputs = [] }: InferRequest, version: string, digest: string): string {
  const ordered = [...inputs].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const heads = ordered.map(({ name, datatype, shape }) => [name, datatype, shape]);
  const hash = createHash('sha256').update(JSON.stringify([model, version, digest, outputs, heads]));
  for (const { data } of ordered) hash.update(rawBytes(data));
  return hash.digest('base64');
}
