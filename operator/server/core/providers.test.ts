import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../clock.ts';
import { silentLogger } from '../../logger.ts';
import type { Provider } from './child/protocol.ts';
import { childProbe, chooseProvider, IDENTITY_MODEL } from './providers.ts';
import { never, newBench } from './testing/engines.ts';
import { identityProbe, putVersion } from './testing/models.ts';
import type { Accelerator } from './types.ts';

/** A machine with these providers: no machine of the tests has a GPU. */
const machine =
  (...providers: readonly Provider[]) =>
  (provider: Provider): Promise<string | undefined> =>
    Promise.resolve(providers.includes(provider) ? undefined : 'no library');

describe('the provider', () => {
  test.each<[Accelerator, readonly Provider[], Provider, RegExp]>([
    ['auto', [], 'cpu', /cuda cannot be used: no library/],
    ['auto', ['cuda', 'tensorrt'], 'cuda', /first choice/],
    ['cpu', ['cuda'], 'cpu', /first choice/],
    ['cuda', [], 'cpu', /cuda cannot be used/],
    ['tensorrt', ['cuda'], 'cuda', /tensorrt cannot be used/],
    ['tensorrt', [], 'cpu', /tensorrt cannot be used: no library; cuda cannot be used/],
  ])('for %s with %j is %s, and says why', async (accelerator, available, provider, reason) => {
    const choice = await chooseProvider(accelerator, machine(...available), never);
    expect(choice).toEqual({ provider, reason: expect.stringMatching(reason) });
  });

  test('a library that is not installed is seen without a child', async () => {
    await expect(childProbe(systemClock)('cuda', never)).resolves.toMatch(
      /libonnxruntime_providers_cuda.so is not installed/,
    );
  });

  test('that is not what was asked for stands in the log', async () => {
    const bench = newBench();
    const lines: [string, object | undefined][] = [];
    const warn = (message: string, keys?: object) => void lines.push([message, keys]);
    putVersion(bench.root, 'm', '1', identityProbe());
    try {
      await bench.open({ accelerator: 'tensorrt', logger: { ...silentLogger, warn } });
      const reason = expect.stringMatching(/tensorrt cannot be used: .*; cuda cannot be used: /);
      expect(lines).toEqual([['models run on', { accelerator: 'tensorrt', provider: 'cpu', reason }]]);
    } finally {
      await bench.end();
    }
  });

  test('the model of the probe is the graph it says', () => {
    expect(IDENTITY_MODEL.equals(identityProbe())).toBe(true);
  });
});
