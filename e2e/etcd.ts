/** What only the store can do to an API server's clients: forget the past. */
import { request } from 'node:http';
import type { ClusterFacts } from './cluster.ts';

/**
 * Compacts etcd up to now and answers with the revision. The API server's watch cache still remembers what
 * went before; once it has been restarted too, an older watch or list gets 410 Gone.
 */
export async function compact(cluster: ClusterFacts, signal?: AbortSignal): Promise<number> {
  const { header } = await call(cluster, 'range', { key: btoa('compact_rev_key') }, signal);
  await call(cluster, 'compaction', { revision: header.revision, physical: true }, signal);
  return Number(header.revision);
}

interface EtcdAnswer {
  /** 64-bit numbers travel as strings. */
  readonly header: { readonly revision: string };
}

function call(
  cluster: ClusterFacts,
  method: string,
  body: object,
  signal?: AbortSignal,
): Promise<EtcdAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath: new URL(cluster.etcdUrl).pathname,
        path: `/v3/kv/${method}`,
        method: 'POST',
        timeout: 10_000,
        ...(signal ? { signal } : {}),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text) as EtcdAnswer);
          else reject(new Error(`etcd ${method}: ${response.statusCode}: ${text}`));
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`etcd ${method}: no answer within 10 s`)));
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(body));
  });
}
