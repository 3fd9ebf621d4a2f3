/**
 * What the API server did for whom, out of its own audit log: no contender is asked about itself. A run of a thousand
 * objects writes hundreds of megabytes, so only what the tables need is kept of each line.
 */
import { open, stat } from 'node:fs/promises';
import type { AuditEntry } from '../../operator/testing/server-side.ts';

export interface Served {
  readonly user: string;
  readonly verb: string;
  /** `deployments/scale`; every metric of external.metrics.k8s.io is `external metric`. */
  readonly what: string;
  /** Of the object, or of the metric. */
  readonly name: string;
  readonly code: number;
  /** Milliseconds since the epoch when the answer was sent. */
  readonly doneMs: number;
}

/** Undefined for a stage that is not the end of a request. */
export function servedOf(line: string): Served | undefined {
  const { stage, verb, user, responseStatus, objectRef, requestURI, stageTimestamp } = JSON.parse(
    line,
  ) as AuditEntry;
  if (stage !== 'ResponseComplete') return undefined;
  const metric = objectRef?.apiGroup === 'external.metrics.k8s.io';
  const { resource = '', subresource } = objectRef ?? {};
  return {
    user: user.username,
    verb,
    what: metric
      ? 'external metric'
      : resource === ''
        ? (requestURI.split('?')[0] ?? '')
        : `${resource}${subresource === undefined ? '' : `/${subresource}`}`,
    name: (metric ? resource : objectRef?.name) ?? '',
    code: responseStatus?.code ?? 0,
    doneMs: Date.parse(stageTimestamp),
  };
}

const CHUNK = 8 * 1024 * 1024;

/** Follows an audit log from its present end. */
export class AuditTail {
  readonly #path: string;
  #offset: number;
  #rest = '';

  private constructor(path: string, offset: number) {
    this.#path = path;
    this.#offset = offset;
  }

  static async atEnd(path: string): Promise<AuditTail> {
    return new AuditTail(path, (await stat(path)).size);
  }

  /** Requests that were answered since the last call. */
  async read(): Promise<Served[]> {
    const served: Served[] = [];
    const file = await open(this.#path, 'r');
    try {
      const { size } = await file.stat();
      while (this.#offset < size) {
        const { bytesRead, buffer } = await file.read({
          buffer: Buffer.alloc(Math.min(CHUNK, size - this.#offset)),
          position: this.#offset,
        });
        if (bytesRead === 0) break;
        this.#offset += bytesRead;

        const lines = (this.#rest + buffer.toString('utf8', 0, bytesRead)).split('\n');
        this.#rest = lines.pop() ?? '';
        for (const line of lines) {
          const one = line === '' ? undefined : servedOf(line);
          if (one !== undefined) served.push(one);
        }
      }
    } finally {
      await file.close();
    }
    return served;
  }
}

/** How often each kind of request was answered. */
export function countByKind(served: readonly Served[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { verb, what } of served) {
    const kind = `${verb} ${what}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return new Map([...counts].sort(([, a], [, b]) => b - a));
}
