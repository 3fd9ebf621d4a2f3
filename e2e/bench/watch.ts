/** A bare watch: each object as it changes, nothing kept. It sees the moment in which a condition turns true. */
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
export function watchObjects(
  cluster: ClusterFacts,
  collection: string,
  onObject: (object: Watched) => void,
  signal: AbortSignal,
): Promise<void> {
  const url = new URL(`${collection}?watch=1&resourceVersion=0&timeoutSeconds=3600`, cluster.url);
  const headers = { authorization: `Bearer ${cluster.adminToken}` };
  return new Promise((resolve, reject) => {
    const call = request(url, { ca: cluster.caData, headers, agent: false, signal }, (response) => {
      if (response.statusCode !== 200) {
        reject(new Error(`watch ${collection}: ${response.statusCode}`));
        return;
      }
      const lines = createInterface({ input: response });
      lines.on('line', (line) => onObject((JSON.parse(line) as { object: Watched }).object));
      lines.on('error', () => undefined); // the end of the response is the end of the watch
      response.on('error', () => undefined);
      resolve();
    });
    call.on('error', (error) => (signal.aborted ? undefined : reject(error)));
    call.end();
  });
}

export function hasCondition({ status }: Watched, type: string): boolean {
  return (
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true
  );
}
