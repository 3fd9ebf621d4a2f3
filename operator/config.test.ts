import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { parseConfig, readConfig } from './config.ts';

test('an empty file is the defaults, which agree with kube-controller-manager where it has the flag', () => {
  const config = parseConfig(undefined, 'test');
  expect(config).toEqual(readConfig(undefined));
  expect(config).toMatchObject({
    namespaces: [],
    syncPeriod: 15_000,
    hpa: { tolerance: 0.1, downscaleStabilization: 300_000 },
    leaderElection: { enabled: true, leaseDuration: 15_000, renewDeadline: 10_000, retryPeriod: 2_000 },
  });
});

describe('a mistake is refused by the name of its key', () => {
  test.each<[key: string, value: object]>([
    ['guards.creationsPerMinutes', { guards: { creationsPerMinutes: 5 } }],
    ['guards.creationsPerMinute', { guards: { creationsPerMinute: 0 } }],
    ['syncPeriod', { syncPeriod: '0s' }],
    ['syncPeriod', { syncPeriod: '15' }],
    ['forecast.defaultStep', { forecast: { defaultStep: '500ms' } }],
    ['http.address', { http: { address: '8080' } }],
    ['leaderElection.renewDeadline', { leaderElection: { renewDeadline: '15s' } }],
    ['leaderElection.retryPeriod', { leaderElection: { retryPeriod: '10s' } }],
    ['guards.freeze.thawShare', { guards: { freeze: { share: 0.2, thawShare: 0.3 } } }],
    ['guards.outlier.unitFactor', { guards: { outlier: { spikeFactor: 50, unitFactor: 20 } } }],
    [
      'replay.factor',
      { replay: { realStart: '2026-01-01T00:00:00Z', loadStart: '1995-08-01T00:00:00Z', factor: 0 } },
    ],
    ['namespaces.0', { namespaces: [''] }],
    ['modelServing.fetch.cache', { modelServing: { fetch: { cache: {} } } }],
    ['modelServing.fetch.cache', { modelServing: { fetch: { cache: { hostPath: '/c', claim: 'c' } } } }],
    ['modelServing.fetch.cache.hostPath', { modelServing: { fetch: { cache: { hostPath: 'c' } } } }],
    ['training.tracking.uri', { training: { tracking: { uri: 'http://me:pw@mlflow' } } }],
  ])('%s', (key, value) => {
    // An unknown key is named inside the message, by its last part.
    const last = key.split('.').at(-1) ?? '';
    expect(() => parseConfig(value, 'test')).toThrow(new RegExp(`${key.replaceAll('.', '[.]')}: |"${last}"`));
  });
});

describe('a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'foresail-config-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (text: string) => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, text);
    return path;
  };

  test('is read', () => {
    expect(readConfig(file('namespaces: [shop, mail]\nsyncPeriod: 1m\n'))).toMatchObject({
      namespaces: ['shop', 'mail'],
      syncPeriod: 60_000,
    });
  });

  test.each(['{', '- a list', 'a: *nowhere'])('%j is refused with its path', (text) => {
    const path = file(text);
    expect(() => readConfig(path)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', subject: path }),
    );
  });

  test('that is missing is refused with its path', () => {
    expect(() => readConfig('/nowhere/config.yaml')).toThrow('/nowhere/config.yaml');
  });
});
