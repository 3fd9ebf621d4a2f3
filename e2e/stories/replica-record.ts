/**
 * Every number of replicas that a target has had, as the API server streams it: a test that polls could miss the one
 * bad write that was corrected at once.
 */
import { get } from 'node:https';
import { createInterface } from 'node:readline';
import type { ClusterFacts } from '../cluster.ts';

export interface ReplicaRecord {
  /** In order, without repetitions; the first is what it began with. */
  readonly seen: readonly number[];
  stop(): void;
}

export function recordReplicas(cluster: ClusterFacts, namespace: string, name: string): ReplicaRecord {
  const seen: number[] = [];
  const ended = new AbortController();
  const url = `${cluster.url}/apis/apps/v1/namespaces/${namespace}/deployments?watch=1&fieldSelector=metadata.name%3D${name}`;
  const take = (line: string) => {
    const { object } = JSON.parse(line) as { object: { spec?: { replicas?: number } } };
    const replicas = object.spec?.replicas;
    if (replicas !== undefined && replicas !== seen.at(-1)) seen.push(replicas);
  };
  const open = () => {
    if (ended.signal.aborted) return;
    const headers = { authorization: `Bearer ${cluster.adminToken}` };
    // The server may be down on purpose: what it holds when it is back is the first thing that a new watch tells.
    const again = () => void setTimeout(open, 200).unref();
    const watch = get(
      url,
      { ca: cluster.caData, headers, agent: false, signal: ended.signal },
      (response) => {
        const lines = createInterface(response).on('line', take);
        for (const stream of [response, lines]) stream.on('error', () => undefined);
      },
    );
    watch.on('error', () => undefined);
    watch.once('close', again);
  };
  open();
  return { seen, stop: () => ended.abort() };
}
