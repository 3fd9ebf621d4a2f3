/**
 * The smallest client that a test can check the real one against: one request, one answer, no cache,
 * no retry. Kept apart from operator/kube so that a fault there cannot hide in the check.
 */
import { Agent, request as httpsRequest } from 'node:https';
import type { ClusterFacts } from './cluster.ts';

const agents = new Map<string, Agent>();

function agentOf(cluster: ClusterFacts): Agent {
  const known = agents.get(cluster.url);
  if (known) return known;
  const agent = new Agent({ ca: cluster.caData, keepAlive: true, maxSockets: 16 });
  agents.set(cluster.url, agent);
  return agent;
}

export interface RequestOptions {
  /** Default admin. */
  readonly token?: string;
  readonly contentType?: string;
}

/** Answers with the decoded body, taken for a T; throws a StatusError with the server's words on any status ≥ 300. */
export async function request<T = unknown>(
  cluster: ClusterFacts,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  options: RequestOptions = {},
  signal?: AbortSignal,
): Promise<T> {
  const { status, text } = await send(cluster, method, path, body, options, signal);
  if (status >= 300) throw new StatusError(`${method} ${path}: ${status}: ${text}`, status);
  return JSON.parse(text) as T;
}

/** What a list holds of those with a label. */
export async function labelled<T>(
  cluster: ClusterFacts,
  path: string,
  label: string,
  value: string,
): Promise<readonly T[]> {
  const selector = encodeURIComponent(`${label}=${value}`);
  return (await request<{ items: T[] }>(cluster, 'GET', `${path}?labelSelector=${selector}`)).items;
}

export class StatusError extends Error {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

function send(
  cluster: ClusterFacts,
  method: string,
  path: string,
  body: unknown,
  options: RequestOptions,
  signal: AbortSignal | undefined,
): Promise<{ status: number; text: string }> {
  const type =
    options.contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
  return new Promise((resolve, reject) => {
    const req = httpsRequest(
      new URL(path, cluster.url),
      {
        method,
        agent: agentOf(cluster),
        headers: { authorization: `Bearer ${options.token ?? cluster.adminToken}`, 'content-type': type },
        timeout: 30_000,
        ...(signal ? { signal } : {}),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      },
    );
    req.on('timeout', () => req.destroy(new Error(`${method} ${path}: no answer within 30 s`)));
    req.on('error', reject);
    req.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
