import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { isForesailError } from '../errors.ts';
import { followFile, parseRoutes, readRoutes } from './file-source.ts';

const GOOD = `
routes:
  - namespace: shop
    name: loadcast
    stable: 1
    stickyHeader: X-Session
    versions:
      - {version: 1, weight: 90, endpoints: ["http://127.0.0.1:8080"]}
      - {version: 2, weight: 10, mirrorPercent: 5}
`;

describe('a file of routes', () => {
  test('is read', () => {
    expect(parseRoutes(GOOD, 'routes.yaml')).toEqual([
      {
        namespace: 'shop',
        name: 'loadcast',
        stable: 1,
        stickyHeader: 'X-Session',
        versions: [
          { version: 1, weight: 90, mirrorPercent: 0, endpoints: ['http://127.0.0.1:8080'] },
          { version: 2, weight: 10, mirrorPercent: 5, endpoints: [] },
        ],
      },
    ]);
  });

  test('of an A/B test, with pods that speak gRPC too', () => {
    const text = GOOD.replace('stickyHeader: X-Session', 'nameHeader: X-Variant').replace(
      'mirrorPercent: 5',
      'name: wide, endpoints: ["http://10.0.0.2:8080"], grpcEndpoints: ["http://10.0.0.2:8081"]',
    );
    expect(parseRoutes(text, 'routes.yaml')).toMatchObject([
      {
        nameHeader: 'X-Variant',
        versions: [{ version: 1 }, { version: 2, name: 'wide', grpcEndpoints: ['http://10.0.0.2:8081'] }],
      },
    ]);
  });

  test.each([
    ['nothing', '', 'routes.yaml'],
    ['no YAML', 'routes: [', 'routes.yaml'],
    [
      'weights that do not sum to 100',
      GOOD.replace('90', '80'),
      'routes.0.versions: the weights must sum to 100',
    ],
    [
      'a version twice',
      GOOD.replace('version: 2', 'version: 1'),
      'routes.0.versions: a version stands there twice',
    ],
    ['a negative weight', GOOD.replace('90', '-90'), 'routes.0.versions.0.weight'],
    [
      'an endpoint that is no URL',
      GOOD.replace('http://127.0.0.1:8080', 'here'),
      'routes.0.versions.0.endpoints.0',
    ],
    ['an endpoint that is a file', GOOD.replace('http://', 'file://'), 'routes.0.versions.0.endpoints.0'],
    ['an unknown key', GOOD.replace('stable: 1', 'stable: 1\n    stabel: 2'), 'stabel'],
    ['a name with a dot', GOOD.replace('name: loadcast', 'name: load.cast'), 'routes.0.name'],
  ])('%s is refused by name', (_, text, field) => {
    let caught: unknown;
    try {
      parseRoutes(text, 'routes.yaml');
    } catch (error) {
      caught = error;
    }
    expect(isForesailError(caught, 'ROUTES_INVALID')).toBe(true);
    expect((caught as Error).message).toContain('routes.yaml');
    expect((caught as Error).message).toContain(field);
  });

  test('a change is noticed, and a file that is not there is named', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'foresail-routes-'));
    try {
      const file = join(folder, 'routes.yaml');
      await expect(readRoutes(file)).rejects.toThrow(file);
      await writeFile(file, GOOD);
      const stop = new AbortController();
      const done = followFile(file, 5, async () => stop.abort(), stop.signal);
      // A write before the first look is where the following begins, and no change.
      for (let i = 0; !stop.signal.aborted; i += 1) {
        // oxlint-disable-next-line no-await-in-loop -- again and again
        await writeFile(file, `${GOOD}\n# ${i}`);
        // oxlint-disable-next-line no-await-in-loop -- as above
        await sleep(10);
      }
      await done;
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
