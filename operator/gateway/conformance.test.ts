/** The same cases for both who can split the traffic: the router as it runs, and the HTTPRoute as it is written. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { systemClock } from '../clock.ts';
import { seeded } from '../forecast/testing/series.ts';
import { silentLogger } from '../logger.ts';
import { createRouterMetrics } from '../router/metrics.ts';
import { PROXY_LIMITS, Proxy } from '../router/proxy.ts';
import { RouteTable } from '../router/routes.ts';
import { startRouter } from '../router/server.ts';
import type { HttpRoute, RouteRule } from './http-route.ts';
import { SPLIT_CASES, type SplitCase } from './testing/cases.ts';
import { fateOf } from './testing/evaluator.ts';
import { weightedRules } from './weights.ts';

const REQUESTS = 600;

/** Counts by version; whatever is missing to REQUESTS got an error. */
interface Counts {
  readonly answers: Record<number, number>;
  readonly copies: Record<number, number>;
}

function count(counts: Record<number, number>, version: number): void {
  counts[version] = (counts[version] ?? 0) + 1;
}

/** Within four standard deviations of a binomial count, and exact where nothing is left to chance. */
function expectShares(counts: Record<number, number>, shares: Readonly<Record<number, number>>): void {
  for (const version of [1, 2, 3]) {
    const share = shares[version] ?? 0;
    const allowed = 4 * Math.sqrt(REQUESTS * share * (1 - share));
    expect(Math.abs((counts[version] ?? 0) - REQUESTS * share)).toBeLessThanOrEqual(allowed);
  }
}

const canAnswer = ({ missing = [], unready = [] }: SplitCase, version: number) =>
  !missing.includes(version) && !unready.includes(version);

describe('the router', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  async function pod(version: number, seen: Record<number, number>): Promise<string> {
    const server = createServer((incoming, response) => {
      count(seen, version);
      incoming.resume();
      response.end(String(version));
    });
    servers.push(server);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function run(split: SplitCase): Promise<Counts> {
    const seen: Record<number, number> = {};
    const versions = await Promise.all(
      split.shares.map(async (share) => ({
        ...share,
        endpoints: canAnswer(split, share.version) ? [await pod(share.version, seen)] : [],
      })),
    );
    const table = new RouteTable();
    table.replace([{ namespace: 'shop', name: 'loadcast', stable: 1, versions }]);
    const { registry, observer } = createRouterMetrics();
    const proxy = new Proxy(table, observer, { ...PROXY_LIMITS, connectMs: 20_000 }, seeded(7));
    const router = await startRouter({
      host: '127.0.0.1',
      port: 0,
      adminPort: 0,
      proxy,
      registry,
      notReady: () => undefined,
      log: silentLogger,
      clock: systemClock,
    });
    const dispatcher = new Agent({ connections: 16 });
    const answers: Record<number, number> = {};
    const ask = async (): Promise<void> => {
      const { statusCode, body } = await request(`${router.url}/v2`, {
        headers: { host: 'loadcast.shop' },
        dispatcher,
      });
      const text = await body.text();
      if (statusCode === 200) count(answers, Number(text));
    };
    await Promise.all(Array.from({ length: REQUESTS }, ask));
    await dispatcher.close();
    // Copies that are under way still: nobody waits for them, so the test does.
    const copied = () => Object.values(seen).reduce((a, b) => a + b, 0);
    // One quiet look says nothing after a pause of this process: what came meanwhile is read after it.
    for (let quiet = 0, before = -1; quiet < 10; ) {
      const all = copied();
      quiet = all === before ? quiet + 1 : 0;
      before = all;
      // oxlint-disable-next-line no-await-in-loop -- a poll
      await sleep(20);
    }
    await router.close(1_000);
    const copies = Object.fromEntries(
      Object.entries(seen).map(([version, all]) => [version, all - (answers[Number(version)] ?? 0)]),
    );
    return { answers, copies };
  }

  test.each(SPLIT_CASES.map((split) => [split.name, split] as const))('%s', async (_, split) => {
    const { answers, copies } = await run(split);
    expectShares(answers, split.withStable ?? split.answers);
    expectShares(copies, split.copies ?? {});
  });
});

describe('the HTTPRoute, by the text of the Gateway API', () => {
  function run(split: SplitCase): Counts {
    const route: HttpRoute = {
      metadata: { name: 'models', namespace: 'shop' },
      spec: { rules: [{ backendRefs: [{ name: 'loadcast', port: 8080 }] }] },
    };
    const [rule] = weightedRules(route, 'loadcast', split.shares) as readonly RouteRule[];
    const services = new Map(
      split.shares
        .filter(({ version }) => split.missing?.includes(version) !== true)
        .map(
          ({ version }) => [`loadcast-v${version}`, canAnswer(split, version) ? 'ready' : 'unready'] as const,
        ),
    );
    const counts: Counts = { answers: {}, copies: {} };
    const versionOf = (name: string) => Number(name.split('-v')[1]);
    const random = seeded(7);
    for (let i = 0; i < REQUESTS; i += 1) {
      const { answer, copies } = fateOf(rule as RouteRule, services, random);
      if (typeof answer === 'string') count(counts.answers, versionOf(answer));
      for (const name of copies) count(counts.copies, versionOf(name));
    }
    return counts;
  }

  test.each(SPLIT_CASES.map((split) => [split.name, split] as const))('%s', (_, split) => {
    const { answers, copies } = run(split);
    expectShares(answers, split.answers);
    expectShares(copies, split.copies ?? {});
  });
});
