/**
 * One pass over the API server's state: a complete list, or the changes since a version. It knows the protocol
 * (watch-list, paged list, bookmarks, in-stream errors) and nothing about caches or retries.
 */
import type { Clock } from '../clock.ts';
import { ForesailError, isForesailError } from '../errors.ts';
import type { KubeClient } from './client.ts';
import { errorFromNetwork, errorFromStatus } from './errors.ts';
import { collectionPath, listQuery } from './paths.ts';
import type { KubeObject, ResourceRef } from './types.ts';
import { WatchDecoder } from './watch-decoder.ts';

export interface Selection {
  readonly ref: ResourceRef;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface StreamLimits {
  /** A stream without a byte for this long is taken for dead. */
  readonly silenceMs: number;
  /** How long a watch is asked to last. */
  readonly lifetimeMs: number;
  /** How much longer we wait for the server to end it. */
  readonly graceMs: number;
  readonly maxLineBytes?: number;
}

/** What a stream says. `synced` comes once, at the end of the initial state of a watch-list. */
export interface StreamSink {
  upsert(object: KubeObject): void;
  remove(object: KubeObject): void;
  /** The state up to `resourceVersion` is complete. */
  progress(resourceVersion: string): void;
  synced(resourceVersion: string): void;
  /** Bytes arrived. */
  alive(): void;
}

const PAGE_SIZE = 500;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';
/** A watch-list is given this long on the server, however short its life after the initial state. */
const WATCH_LIST_TIMEOUT_SECONDS = 600;

/** Pages through a consistent list. `each` is called page by page so that parsing never blocks for long. */
export async function listPages(
  client: KubeClient,
  selection: Selection,
  each: (objects: readonly KubeObject[]) => void,
  signal: AbortSignal,
): Promise<string> {
  const { ref, ...filter } = selection;
  let next: string | undefined;
  for (;;) {
    const page = await client.list<KubeObject>(
      ref,
      { ...filter, limit: PAGE_SIZE, ...(next === undefined ? {} : { continue: next }) },
      signal,
    );
    each(page.items);
    if (page.continue === undefined) return page.resourceVersion;
    next = page.continue;
  }
}

/**
 * Follows changes until the server ends the stream, its lifetime is over (both resolve), or something is wrong
 * (rejects). `from` undefined asks for the whole state first (watch-list); `synced` then says where it ends.
 */
export async function watch(
  client: KubeClient,
  selection: Selection,
  from: string | undefined,
  limits: StreamLimits,
  sink: StreamSink,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const silent = () => stop.abort(silentError(selection.ref));
  const silence = watchdog(clock, silent);
  // A watch ends by itself after the time that it asked for; one that does not is a dead connection. After a
  // watch-list, whose time on the server is long, we are the ones who end it.
  const lifetime = watchdog(clock, from === undefined ? () => stop.abort(LIFETIME_OVER) : silent);
  const path = watchPath(selection, from, limits);
  const both = AbortSignal.any([signal, stop.signal]);
  const decoder = new WatchDecoder(limits.maxLineBytes);
  try {
    const body = await client.stream(path, selection.ref.plural, both);
    silence.feed(limits.silenceMs);
    if (from !== undefined) lifetime.feed(limits.lifetimeMs + limits.graceMs);
    for await (const chunk of body) {
      silence.feed(limits.silenceMs);
      sink.alive();
      for (const event of decoder.push(chunk)) {
        if (event.type === 'ERROR')
          throw errorFromStatus(500, event.status, { what: `watch ${selection.ref.plural}` });
        if (event.type === 'DELETED') sink.remove(event.object);
        else if (event.type !== 'BOOKMARK') sink.upsert(event.object);
        const version = event.object.metadata.resourceVersion!;
        if (event.type === 'BOOKMARK' && event.object.metadata.annotations?.[INITIAL_EVENTS_END] === 'true') {
          sink.synced(version);
          lifetime.feed(limits.lifetimeMs);
        } else {
          sink.progress(version);
        }
      }
    }
    decoder.end();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (stop.signal.reason === LIFETIME_OVER) return;
    if (stop.signal.aborted) throw stop.signal.reason;
    throw isForesailError(error) ? error : errorFromNetwork(error, `watch ${selection.ref.plural}`);
  } finally {
    silence.cancel();
    lifetime.cancel();
    stop.abort(LIFETIME_OVER); // Closes the socket when we are the ones who leave.
  }
}

function silentError(ref: ResourceRef): ForesailError {
  return new ForesailError('KUBE_TIMEOUT', 'transient', `watch ${ref.plural}: the connection is silent`);
}

const LIFETIME_OVER = new Error('the watch has lived its time');

function watchPath(selection: Selection, from: string | undefined, limits: StreamLimits): string {
  const { ref, namespace, ...filter } = selection;
  const query = listQuery(filter);
  query.set('watch', 'true');
  query.set('allowWatchBookmarks', 'true');
  if (from === undefined) {
    query.set('sendInitialEvents', 'true');
    query.set('resourceVersionMatch', 'NotOlderThan');
    query.set('timeoutSeconds', String(WATCH_LIST_TIMEOUT_SECONDS));
  } else {
    query.set('resourceVersion', from);
    query.set('timeoutSeconds', String(Math.max(1, Math.round(limits.lifetimeMs / 1000))));
  }
  return `${collectionPath(ref, namespace)}?${query.toString()}`;
}

interface Watchdog {
  feed(ms: number): void;
  cancel(): void;
}

/** A timer that is pushed back with every sign of life; it re-arms lazily, since bytes may come by the thousand. */
function watchdog(clock: Clock, bark: () => void): Watchdog {
  let cancel: (() => void) | undefined;
  let dueAt = 0;
  const arm = (ms: number) => {
    cancel = clock.after(ms, () => {
      const left = dueAt - clock.monotonic();
      if (left > 0) arm(left);
      else bark();
    });
  };
  return {
    feed(ms) {
      dueAt = clock.monotonic() + ms;
      if (cancel === undefined) arm(ms);
    },
    cancel() {
      cancel?.();
    },
  };
}
