/** A bare watch: each object as it changes, nothing kept. It sees the moment in which a condition turns true. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import type { ClusterFacts } from '../cluster.ts';

export interface Watched {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** Returns when the watch stands, which ends with the signal. Objects that exist already come first. */
export async function watchObjects(
  cluster: ClusterFacts,
  collection: string,
  onObject: (object: Watched) => void,
  signal: AbortSignal,
): Promise<void> {
  let response = await open(cluster, collection, signal);
  void (async () => {
    while (!signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- until the end of the watch
      await readLines(response, onObject).catch(() => undefined);
      // The API server drops a watcher that is too slow for a burst; the next one begins with what is there now.
      // oxlint-disable-next-line no-await-in-loop
      if (!signal.aborted) response = await open(cluster, collection, signal);
    }
  })().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

async function readLines(response: IncomingMessage, onObject: (object: Watched) => void): Promise<void> {
  for await (const line of createInterface({ input: response })) {
    const { type, object } = JSON.parse(line) as { type: string; object: Watched };
    if (type === 'ERROR') return;
    onObject(object);
  }
}

async function open(
  cluster: ClusterFacts,
  collection: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const url = new URL(`${collection}?watch=1&resourceVersion=0&timeoutSeconds=3600`, cluster.url);
  const headers = { authorization: `Bearer ${cluster.adminToken}` };
  const call = request(url, { ca: cluster.caData, headers, agent: false, signal });
  call.end();
  const [response] = (await once(call, 'response', { signal })) as [IncomingMessage];
  call.on('error', () => undefined); // the response ends with it
  if (response.statusCode !== 200) throw new Error(`watch ${collection}: ${response.statusCode}`);
  return response;
}

export function hasCondition({ status }: Watched, type: string): boolean {
  return (
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true
  );
}
