import { expect, test } from '@jest/globals';
import { ForesailError } from '../errors.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { CachedDiscovery } from './discovery.ts';

const signal = new AbortController().signal;

function fakeServer() {
  const groups = new Map<string, object>([
    [
      '/apis/apps/v1',
      {
        resources: [
          { name: 'deployments', kind: 'Deployment', namespaced: true },
          { name: 'deployments/scale', kind: 'Scale', namespaced: true },
          { name: 'daemonsets', kind: 'DaemonSet', namespaced: true },
        ],
      },
    ],
  ]);
  const asked: string[] = [];
  return {
    groups,
    asked,
    getJson(path: string): Promise<unknown> {
      asked.push(path);
      const list = groups.get(path);
      return list === undefined
        ? Promise.reject(new ForesailError('KUBE_NOT_FOUND', 'terminal', 'no such group'))
        : Promise.resolve(list);
    },
  };
}

test('finds resources, knows which can be scaled, and asks once per group', async () => {
  const server = fakeServer();
  const discovery = new CachedDiscovery(server, new FakeClock());
  const [deployment, daemonSet] = await Promise.all([
    discovery.resolve('apps/v1', 'Deployment', signal),
    discovery.resolve('apps/v1', 'DaemonSet', signal),
  ]);
  expect(deployment).toEqual({
    ref: { group: 'apps', version: 'v1', plural: 'deployments', namespaced: true },
    kind: 'Deployment',
    scalable: true,
  });
  expect(daemonSet.scalable).toBe(false);
  expect(server.asked).toEqual(['/apis/apps/v1']);
});

test('a kind that does not exist is asked for again, but not at every call, and found once its CRD is there', async () => {
  const server = fakeServer();
  const clock = new FakeClock();
  const discovery = new CachedDiscovery(server, clock);
  const resolve = () => discovery.resolve('shop.io/v1', 'Till', signal);
  for (let i = 0; i < 10; i += 1)
    await expect(resolve()).rejects.toMatchObject({ code: 'KUBE_UNKNOWN_KIND', retry: 'transient' });
  expect(server.asked).toHaveLength(1);
  server.groups.set('/apis/shop.io/v1', { resources: [{ name: 'tills', kind: 'Till', namespaced: true }] });
  await clock.advance(5_000);
  expect(await resolve()).toMatchObject({ ref: { plural: 'tills' } });
});

test('a failure is not remembered', async () => {
  const server = fakeServer();
  let fail = true;
  const flaky = {
    getJson: (path: string) =>
      fail
        ? Promise.reject(new ForesailError('KUBE_UNREACHABLE', 'transient', 'gone'))
        : server.getJson(path),
  };
  const discovery = new CachedDiscovery(flaky, new FakeClock());
  await expect(discovery.resolve('apps/v1', 'Deployment', signal)).rejects.toMatchObject({
    code: 'KUBE_UNREACHABLE',
  });
  fail = false;
  await expect(discovery.resolve('apps/v1', 'Deployment', signal)).resolves.toBeDefined();
});
