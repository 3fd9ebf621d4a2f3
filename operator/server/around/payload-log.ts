/**
 * A sample of requests and answers as CloudEvents, in the form of KServe's logger, so that what listens to that listens to
 * this: binary content mode, the tensors in the Open Inference Protocol's JSON. A request never waits for it and never
 * fails by it: the queue is bounded in events and bytes, and what does not fit is dropped and counted.
 */
import { randomUUID } from 'node:crypto';
import { Agent } from 'undici';
import type { Clock } from '../../clock.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { type AddressGuard, guardedConnector, type ResolveHost } from '../../net/guarded-connector.ts';
import type { InferAnswer, InferRequest } from '../core/types.ts';
import type { PayloadOutcome } from '../metrics.ts';
import { writeInferAnswer } from '../wire/infer-answer.ts';
import { writeJsonData } from '../wire/json-data.ts';
import type { CallInfo, Infer } from './infer.ts';
import { ownCopy } from './own-copy.ts';
import type { PayloadKind } from './payload-kinds.ts';
import { tensorBytes } from './tensor-bytes.ts';

export interface PayloadLogOptions {
  readonly url: URL;
  /** Share of the requests, 0 to 1. */
  readonly sample: number;
  readonly kinds: readonly PayloadKind[];
  /** Of the CloudEvents; empty when it is not known. */
  readonly namespace: string;
  readonly maxEvents?: number;
  readonly maxBytes?: number;
}

export interface PayloadLogParts {
  readonly guard: AddressGuard;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 to 1. */
  readonly random: () => number;
  readonly count: (outcome: PayloadOutcome) => void;
  readonly resolve?: ResolveHost;
}

export interface PayloadLog {
  around(next: Infer): Infer;
  /** Sends what waits, until the signal ends that. */
  close(signal: AbortSignal): Promise<void>;
}

interface Event {
  readonly kind: PayloadKind;
  readonly id: string;
  readonly time: string;
  readonly model: string;
  readonly version: string;
  readonly traceparent: string | undefined;
  readonly bytes: number;
  /** Written only when it is sent, off the path of the request. @throws INPUT_INVALID */
  readonly body: () => string;
}

const MOST_EVENTS = 1_000;
const MOST_BYTES = 32 * 1024 * 1024;
const MOST_EVENT_BYTES = 1024 * 1024;
/** What an event takes besides its tensors, about. */
const EVENT_BYTES = 256;
const SENDERS = 4;
const SEND_MS = 5_000;
const CONNECT_MS = 2_000;
/** One line, not one for each event. */
const WARN_EVERY_MS = 60_000;

export function openPayloadLog(options: PayloadLogOptions, parts: PayloadLogParts): PayloadLog {
  const { url, sample, kinds, namespace, maxEvents = MOST_EVENTS, maxBytes = MOST_BYTES } = options;
  const { guard, clock, log, random, count, resolve } = parts;
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const agent = new Agent({
    connect: guardedConnector(guard, port, {}, CONNECT_MS, resolve),
    connections: SENDERS,
    headersTimeout: SEND_MS,
    bodyTimeout: SEND_MS,
  });
  const queue: Event[] = [];
  const sending = new Set<Promise<void>>();
  const stop = new AbortController();
  let bytesWaiting = 0;
  let warnedAt = Number.NEGATIVE_INFINITY;

  /** @param write called only for what is taken; gives the writer of the body, which is called only when it is sent */
  function enqueue(event: Omit<Event, 'body'>, write: () => Event['body']): void {
    if (event.bytes > MOST_EVENT_BYTES) return count('unfit');
    if (stop.signal.aborted || queue.length >= maxEvents || bytesWaiting + event.bytes > maxBytes)
      return count('dropped');
    queue.push({ ...event, body: write() });
    bytesWaiting += event.bytes;
    if (sending.size >= SENDERS) return;
    const sender = drain().finally(() => sending.delete(sender));
    sending.add(sender);
  }

  async function drain(): Promise<void> {
    // What is written for the log must not stand in front of the answer that it is about.
    await clock.sleep(0);
    for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
      bytesWaiting -= event.bytes;
      // oxlint-disable-next-line no-await-in-loop -- each sender sends one at a time
      count(await send(event));
    }
  }

  async function send(event: Event): Promise<PayloadOutcome> {
    let body: string;
    try {
      body = event.body();
    } catch {
      return 'unfit';
    }
    try {
      const response = await agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'POST',
        headers: headersOf(event, namespace),
        body,
        signal: AbortSignal.any([stop.signal, AbortSignal.timeout(SEND_MS)]),
      });
      await response.body.dump({ limit: 64 * 1024 });
      if (response.statusCode < 300) return 'sent';
      warn(`it answers ${response.statusCode}`);
    } catch (error) {
      warn(messageOf(error));
    }
    return 'failed';
  }

  function warn(error: string): void {
    const now = clock.monotonic();
    if (stop.signal.aborted || now - warnedAt < WARN_EVERY_MS) return;
    warnedAt = now;
    log.warn('payloads cannot be sent', { origin: url.origin, error });
  }

  return {
    around: (next) => async (request, call, signal) => {
      if (random() >= sample) return await next(request, call, signal);
      const answer = await next(request, call, signal);
      const { model, version } = answer;
      const common = {
        id: eventId(call),
        time: new Date(clock.now()).toISOString(),
        model,
        version,
        traceparent: call.span?.traceparent,
      };
      if (kinds.includes('request')) {
        const bytes = EVENT_BYTES + tensorBytes(request.inputs);
        enqueue({ ...common, kind: 'request', bytes }, () => () => requestText(common.id, request));
      }
      if (kinds.includes('response')) {
        const bytes = EVENT_BYTES + tensorBytes(answer.outputs);
        enqueue({ ...common, kind: 'response', bytes }, () => {
          const own = ownCopy(answer);
          return () => answerText(common.id, own);
        });
      }
      return answer;
    },
    async close(signal) {
      const cut = (): void => {
        while (queue.pop() !== undefined) count('dropped');
        stop.abort(new Error('the server ends'));
      };
      signal.addEventListener('abort', cut, { once: true });
      if (signal.aborted) cut();
      while (sending.size > 0) {
        // oxlint-disable-next-line no-await-in-loop -- senders begin while others end
        await Promise.allSettled(sending);
      }
      signal.removeEventListener('abort', cut);
      stop.abort(new Error('the server ends'));
      await agent.destroy();
    },
  };
}

/** Attribute names are KServe's; a listener pairs request and answer by the id. */
function headersOf(
  { kind, id, time, model, version, traceparent }: Event,
  namespace: string,
): Record<string, string> {
  return {
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-type': `org.kubeflow.serving.inference.${kind}`,
    'ce-id': id,
    'ce-time': time,
    'ce-source': `/v2/models/${model}/versions/${version}`,
    'ce-inferenceservicename': model,
    'ce-namespace': namespace,
    'ce-component': 'predictor',
    'ce-endpoint': 'default',
    'ce-metadata': '{}',
    'ce-modelversion': version,
    ...(traceparent === undefined ? {} : { 'ce-traceparent': traceparent }),
  };
}

/** The caller's own name of the request where it can stand in a header as it is. */
function eventId({ id = '' }: CallInfo): string {
  return /^[\w.:/+=-]{1,128}$/.test(id) ? id : randomUUID();
}

function requestText(id: string, { inputs, outputs }: InferRequest): string {
  const tensors = inputs.map(
    (tensor) =>
      `{"name":${JSON.stringify(tensor.name)},"datatype":"${tensor.datatype}",` +
      `"shape":[${tensor.shape.join(',')}],"data":${writeJsonData(tensor)}}`,
  );
  const wanted =
    outputs === undefined ? '' : `,"outputs":${JSON.stringify(outputs.map((name) => ({ name })))}`;
  return `{"id":${JSON.stringify(id)},"inputs":[${tensors.join(',')}]${wanted}}`;
}

function answerText(id: string, answer: InferAnswer): string {
  return String(writeInferAnswer(answer, id, () => false).body);
}
