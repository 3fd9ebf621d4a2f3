/** What every story on real pods stands on: that the node is a node. */
import assert from 'node:assert/strict';
import { request } from '../../api.ts';
import { nodeOf } from '../../cluster.ts';
import { eventually } from '../../eventually.ts';
import { kubectl } from '../../kubectl.ts';
import { runInside } from '../inside.ts';
import { web } from '../objects.ts';
import { apply, makeNamespace, type NodeStage, readyPods } from '../stage.ts';
import type { Story } from '../story.ts';

const NAMESPACE = 'node';

export const NODE: readonly Story<NodeStage>[] = [
  {
    name: 'a pod runs, a Service spreads requests over two of them, DNS knows its name',
    async run({ cluster }, signal) {
      await makeNamespace(cluster, NAMESPACE);
      await apply(cluster, ...web(NAMESPACE, 'web', { replicas: 2, cpuMs: 0 }));
      const pods = await readyPods(cluster, NAMESPACE, 'web', 2, signal);
      const pod = pods[0]?.metadata.name ?? '';
      // A connection each: kube-proxy chooses per connection.
      const script = `import { get } from 'node:http';
        for (let i = 0; i < 20; i++)
          await new Promise((resolve, reject) =>
            get('http://web/', { agent: false }, (answer) => answer.resume().on('end', resolve)).on('error', reject));`;
      const counts = () => Promise.all(pods.map(({ metadata }) => requestsOf(metadata.name)));
      // kube-proxy learns of a pod a moment after it is Ready.
      await eventually(
        'both pods serve',
        async () => {
          const before = await counts();
          await inPod(pod, script);
          const served = (await counts()).map((count, i) => count - (before[i] ?? 0));
          const all = served.reduce((sum, count) => sum + count, 0);
          if (all !== 20 || Math.min(...served) === 0) throw new Error(`served: ${served.join(' and ')}`);
          return true;
        },
        60_000,
        signal,
      );

      async function inPod(name: string, source: string): Promise<string> {
        const node = ['node', '--input-type=module', '--eval', source];
        return await kubectl(cluster, ['exec', '--namespace', NAMESPACE, name, '--', ...node], {}, signal);
      }
      async function requestsOf(name: string): Promise<number> {
        const text = await inPod(
          name,
          `process.stdout.write(await (await fetch('http://127.0.0.1:8080/metrics')).text())`,
        );
        return Number(/^http_requests_total (\d+)$/m.exec(text)?.[1]);
      }
    },
  },
  {
    name: 'a pod reaches the API server, and nothing outside of the node',
    async run({ cluster }, signal) {
      const [pod] = await readyPods(cluster, NAMESPACE, 'web', 2, signal);
      const script = `
        import { connect } from 'node:net';
        const reach = (host, port) => new Promise((resolve) => {
          const socket = connect({ host, port, timeout: 30_000 }, () => { socket.destroy(); resolve('yes'); });
          socket.on('error', (error) => resolve(error.code)).on('timeout', () => { socket.destroy(); resolve('timeout'); });
        });
        process.stdout.write(JSON.stringify([await reach('kubernetes.default.svc', 443), await reach('192.0.2.1', 80)]));`;
      const node = ['node', '--input-type=module', '--eval', script];
      const said = await kubectl(
        cluster,
        ['exec', '--namespace', NAMESPACE, pod?.metadata.name ?? '', '--', ...node],
        {},
        signal,
      );
      assert.deepEqual(JSON.parse(said), ['yes', 'ENETUNREACH']);
    },
  },
  {
    name: 'the resource metrics of pods and node come from the real metrics-server',
    async run({ cluster }, signal) {
      const used = await eventually(
        'metrics of a pod',
        async () => {
          const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${NAMESPACE}/pods`;
          const { items } = await request<{ items: { containers: { usage: { memory: string } }[] }[] }>(
            cluster,
            'GET',
            path,
          );
          return items.length === 2 ? items[0]?.containers[0]?.usage.memory : undefined;
        },
        60_000,
        signal,
      );
      // A whole number of mebibytes is written as one.
      assert.match(used, /^(\d{5,}Ki|\d{2,}Mi)$/);
      return used;
    },
  },
  {
    name: 'the kubelet shows itself to nobody without a right to it',
    async run({ cluster }, signal) {
      const { address } = nodeOf(cluster);
      const script = `process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
        const headers = process.argv[1] ? { authorization: 'Bearer ' + process.argv[1] } : {};
        process.stdout.write(String((await fetch('https://${address}:10250/pods', { headers })).status));`;
      const ask = (token: string) =>
        runInside(
          cluster,
          [process.execPath, '--no-warnings', '--input-type=module', '--eval', script, token],
          undefined,
          signal,
        );
      assert.equal(await ask(''), '401');
      assert.equal(await ask(cluster.tokens['nobody'] ?? ''), '403');
      assert.equal(await ask(cluster.adminToken), '200');
    },
  },
];
