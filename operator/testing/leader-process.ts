/**
 * A process that leads and writes: while it holds the lease it patches one ConfigMap about ten times a second through
 * the fenced client. Tests freeze it, steal its lease, and look in the audit log for what it did.
 *
 *   node leader-process.ts KUBECONFIG NAMESPACE LEASE CONFIGMAP
 *
 * stdout: one word per line (ready, leading, lost, released). Exit code 0 after a release, 1 when leadership was lost.
 */
import { systemClock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import {
  createController,
  createLeaderElector,
  createManager,
  fencedClient,
  KubeClient,
  type KubeObject,
  loadConnection,
  ResourceInformer,
  Transport,
} from '../runtime/index.ts';

const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps', namespaced: true };

const [kubeconfig, namespace, lease, configMap] = process.argv.slice(2);
if (kubeconfig === undefined || namespace === undefined || lease === undefined || configMap === undefined)
  throw new Error('usage: leader-process.ts KUBECONFIG NAMESPACE LEASE CONFIGMAP');

const say = (word: string): void => {
  process.stdout.write(`${word}\n`);
};
const connection = await loadConnection({ kubeconfig });
const transport = new Transport(connection, { clock: systemClock });
// The lease has connections of its own, so that no queue of writes can cost it.
const leaseTransport = new Transport(connection, { clock: systemClock, maxConnections: 2 });
const client = new KubeClient(transport);

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort(new Error('SIGTERM')));

let elector!: ReturnType<typeof createLeaderElector>;
const manager = createManager({
  shutdownMs: 5_000,
  elector: (hooks) => {
    elector = createLeaderElector({
      client: new KubeClient(leaseTransport, { deadlineMs: 5_000 }),
      lease: { namespace, name: lease },
      identity: `leader-process-${process.pid}`,
      onStartedLeading(signal) {
        say('leading');
        hooks.onStartedLeading(signal);
      },
      onLost(reason) {
        say('lost');
        hooks.onLost(reason);
      },
    });
    return elector;
  },
});
const informer = new ResourceInformer<KubeObject>(client, { ref: CONFIG_MAPS, namespace });
manager.addInformer(informer);
const fenced = fencedClient(client, elector);
let writes = 0;
manager.addController(
  createController({
    name: 'counter',
    workers: 1,
    sources: [{ start: (enqueue) => enqueue('counter') }],
    async reconcile(_, signal) {
      writes += 1;
      const patch = { data: { writes: String(writes), by: String(process.pid) } };
      await fenced.mergePatch(CONFIG_MAPS, { namespace, name: configMap }, patch, {}, signal);
      return { requeueAfterMs: 100 };
    },
  }),
);
say('ready');
try {
  await manager.run(stop.signal);
  say('released');
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
} finally {
  await Promise.all([transport.close(), leaseTransport.close()]);
}
