/**
 * What the pods of a run may ask the operator: to hear how far they are, and to have the history that they learn from.
 * They have no account; the token of their attempt is all, so nothing here says more than that one run may know.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../clock.ts';
import { ForesailError, isForesailError, messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { parseReport, type ReportKind } from './bodies.ts';
import type { DataExport } from './data-export.ts';
import type { RunReportsStore } from './reports.ts';
import { seriesText } from './series-text.ts';
import { bearerMatches } from './tokens.ts';
import { Seats, Turnstile } from './turnstile.ts';
import type { AttemptFacts, AttemptLookup, RunKey, Stage } from './types.ts';

export interface TrainingRoutesOptions {
  /** Only the leader, with its caches filled, knows attempts and history. */
  readonly answering: () => boolean;
  readonly attemptOf: AttemptLookup;
  readonly reports: RunReportsStore;
  readonly data: DataExport;
  /** Told to those who list the data. */
  readonly maxPoints: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const BASE = '/training/v1/namespaces/:namespace/trainingjobs/:name/attempts/:attempt';

/** A report carries a lineage at most, whose configuration may be long. */
const BODY_LIMITS: Record<ReportKind, number> = {
  progress: 4096,
  error: 8192,
  result: 131_072,
  gate: 65_536,
  trials: 16_384,
};

/** Who may say what: nothing that trains may say that it passed the gate. */
const SAID_BY: Record<ReportKind, readonly Stage[]> = {
  progress: ['search', 'train', 'gate'],
  error: ['search', 'train', 'gate'],
  result: ['train'],
  gate: ['gate'],
  trials: ['search'],
};

/** Of one attempt: a gang of many ranks that read data and report. */
const RATE = { perSecond: 20, burst: 60, keys: 2000 };
/** Answers with data that are made, or on their way, at a time: each is held in memory until its reader has it. */
const READS = { most: 8, mostOfOne: 2 };
/** A reader that has not taken an answer by then is cut off. */
const TAKEN_WITHIN_MS = 30_000;
/** Smaller ones are not worth packing. */
const PACKED_FROM_BYTES = 1024;

/** What no token has. */
const NOBODYS = '0'.repeat(64);

/** Fields of an error that the pods may act upon. */
const STATUS: Record<string, number> = {
  REPORT_INVALID: 422,
  DATA_RANGE_INVALID: 422,
  DATA_ELSEWHERE: 422,
  DATA_FORBIDDEN: 403,
  DATA_TOO_LARGE: 413,
  DATA_PREPARING: 503,
};

interface Params {
  readonly namespace: string;
  readonly name: string;
  readonly attempt: string;
}

interface Admitted {
  readonly key: RunKey;
  readonly facts: AttemptFacts;
}

/** A plugin for the operator's own server. */
export function trainingRoutes(options: TrainingRoutesOptions): (server: FastifyInstance) => Promise<void> {
  const { answering, attemptOf, reports, data, maxPoints, clock, log } = options;
  const turnstile = new Turnstile({ clock, ...RATE });
  const seats = new Seats(READS);

  /** Answers for itself, with undefined, unless the request is one of a live attempt. */
  async function admit(request: FastifyRequest, reply: FastifyReply): Promise<Admitted | undefined> {
    const { namespace, name, attempt: text } = request.params as Params;
    if (!answering()) return refuse(reply.header('retry-after', '1'), 503, 'this replica does not lead');
    const attempt = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    const facts = Number.isNaN(attempt) ? undefined : attemptOf(namespace, name, attempt);
    // One answer for both, after the same work: who has no token does not learn which runs there are.
    const known = bearerMatches(request.headers.authorization, facts?.tokenSha256 ?? NOBODYS);
    if (facts === undefined || !known)
      return refuse(reply.header('www-authenticate', 'Bearer'), 401, 'no valid token of such an attempt');
    if (!facts.live) return refuse(reply, 409, 'this attempt is over');
    if (!turnstile.pass(`${facts.uid}/${attempt}`))
      return refuse(reply.header('retry-after', '1'), 429, 'too many requests of this attempt');
    return { key: { namespace, name, uid: facts.uid, attempt }, facts };
  }

  const admitted = new WeakMap<FastifyRequest, Admitted>();
  /** Before the body is read: who has no token sends none. */
  async function onRequest(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const found = await admit(request, reply);
    if (found !== undefined) admitted.set(request, found);
  }
  const admittedOf = (request: FastifyRequest): Admitted => {
    const found = admitted.get(request);
    if (found === undefined) throw new Error('a request came past its guard');
    return found;
  };

  return async (server) => {
    server.setErrorHandler<FastifyError | ForesailError>((error, _request, reply) => {
      const status = isForesailError(error) ? STATUS[error.code] : error.statusCode;
      if (status === 503) return refuse(reply.header('retry-after', '2'), status, error.message);
      if (status !== undefined && status < 500)
        return reply.code(status).send({ error: error.message, code: error.code });
      log.error('a request of a training run failed', { error: messageOf(error) });
      return reply.code(500).send({ error: 'the operator has failed at this', code: 'INTERNAL' });
    });

    for (const kind of Object.keys(SAID_BY) as ReportKind[]) {
      server.post(`${BASE}/${kind}`, { onRequest, bodyLimit: BODY_LIMITS[kind] }, async (request, reply) => {
        const { key, facts } = admittedOf(request);
        if (!SAID_BY[kind].includes(facts.stage))
          return refuse(reply, 403, `a pod that does ${facts.stage} may not say this`);
        reports.take(key, kind, parseReport(kind, request.body));
        return reply.code(204).send();
      });
    }

    server.get(`${BASE}/data`, { onRequest }, async (request, reply) => {
      const { key, facts } = admittedOf(request);
      return packed(request, reply, key, async () =>
        JSON.stringify({
          series: await data.list(key.namespace, key.attempt, facts),
          limits: { maxPoints },
        }),
      );
    });

    server.get(`${BASE}/data/:index`, { onRequest }, async (request, reply) => {
      const { key, facts } = admittedOf(request);
      const query = request.query as Record<string, unknown>;
      const index = whole('index', (request.params as { readonly index: string }).index) ?? 0;
      const range = { from: whole('from', query['from']), to: whole('to', query['to']) };
      return packed(request, reply, key, async () =>
        seriesText(await data.read(key.namespace, key.attempt, facts, index, range)),
      );
    });
  };

  async function packed(
    request: FastifyRequest,
    reply: FastifyReply,
    { uid }: RunKey,
    make: () => Promise<string>,
  ) {
    const leave = seats.take(uid);
    if (leave === undefined)
      return refuse(reply.header('retry-after', '1'), 429, 'others are reading data now');
    try {
      const body = await make();
      void reply
        .type('application/json')
        .header('vary', 'accept-encoding')
        .header('cache-control', 'no-store');
      if (body.length < PACKED_FROM_BYTES || !/\bgzip\b/.test(request.headers['accept-encoding'] ?? ''))
        await reply.send(body);
      else await reply.header('content-encoding', 'gzip').send(await promisify(gzip)(body));
      await taken(reply, clock);
    } finally {
      leave();
    }
    return undefined;
  }
}

/** Resolves when the network has all of an answer, or its reader is gone or cut off. */
function taken({ raw }: FastifyReply, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    if (raw.writableFinished || raw.destroyed) {
      resolve();
      return;
    }
    const cancel = clock.after(TAKEN_WITHIN_MS, () => raw.destroy());
    for (const event of ['finish', 'close'])
      raw.once(event, () => {
        cancel();
        resolve();
      });
  });
}

async function refuse(reply: FastifyReply, status: number, error: string): Promise<undefined> {
  await reply.code(status).send({ error });
  return undefined;
}

/** @throws ForesailError `DATA_RANGE_INVALID` naming the field */
function whole(field: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^[0-9]{1,12}$/.test(value)) return Number(value);
  throw new ForesailError('DATA_RANGE_INVALID', 'terminal', `${field}: must be a whole number of seconds`, {
    subject: field,
  });
}
