import { expect, test } from '@jest/globals';
import type { Decision } from '../../decision/types.ts';
import { createExplanations } from './explanations.ts';

const decision = (id: string, desiredReplicas: number, atMs = 0, padding = '') =>
  ({
    id,
    atMs,
    desiredReplicas,
    boundBy: 'Reactive',
    rung: 'None',
    write: true,
    mode: { asked: 'Active', inForce: 'Active' },
    explanation: { sentence: padding },
  }) as unknown as Decision;

const ids = (explanations: ReturnType<typeof createExplanations>) =>
  explanations.of('shop/web')?.decisions.map(({ id }) => id);

test('the same outcome again replaces the one before, a new one is added', () => {
  const explanations = createExplanations();
  for (const [id, replicas] of [
    ['1', 2],
    ['2', 2],
    ['3', 4],
  ] as const)
    explanations.record('shop/web', decision(id, replicas), {});
  expect(ids(explanations)).toEqual(['3', '2']);
});

test('old ones and those beyond the bytes go, the newest never', () => {
  const explanations = createExplanations({ bytesPerScaler: 2000, maxAgeMs: 1000 });
  explanations.record('shop/web', decision('old', 1, 0), {});
  explanations.record('shop/web', decision('a', 2, 2000), {});
  expect(ids(explanations)).toEqual(['a']);
  explanations.record('shop/web', decision('big', 3, 2500, 'x'.repeat(5000)), {});
  expect(ids(explanations)).toEqual(['big']);
});

test('a scaler that is gone is forgotten', () => {
  const explanations = createExplanations();
  explanations.record('shop/web', decision('1', 2), {});
  explanations.forget('shop/web');
  expect(explanations.of('shop/web')).toBeUndefined();
});
