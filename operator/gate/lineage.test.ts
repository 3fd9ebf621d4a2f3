import { describe, expect, test } from '@jest/globals';
import { parseLineage } from './lineage.ts';

const whole = {
  schema: 1,
  name: 'loadcast',
  family: 'gru',
  sha256: 'a'.repeat(64),
  seed: 3,
  code: { package: '1.0.0', sha256: 'b'.repeat(64) },
  config: { steps: 500 },
  data: {
    from: 'operator',
    sha256: null,
    firstTime: null,
    trainEnd: '2026-11-01T00:00:00Z',
    validateEnd: '2026-11-10T00:00:00Z',
  },
  scores: {},
  attempts: [1],
};

describe('a lineage', () => {
  test('is read as the trainer writes it; what it does not know is absent, what we do not know stays', () => {
    const lineage = parseLineage(JSON.stringify(whole), 'lineage.json');
    expect(lineage).toMatchObject({
      seed: 3,
      config: { steps: 500 },
      data: { validateEnd: '2026-11-10T00:00:00Z' },
    });
    expect(lineage.data.sha256).toBeUndefined();
  });

  test.each<[string, object, RegExp]>([
    ['no digest', { sha256: 'x' }, /sha256: must be 64 hex digits/],
    ['another schema', { schema: 2 }, /schema/],
    ['no end of validation', { data: { ...whole.data, validateEnd: null } }, /data.validateEnd/],
    ['a time that is none', { data: { ...whole.data, trainEnd: 'yesterday' } }, /data.trainEnd/],
  ])('with %s is refused by the name of the field', (_, change, message) => {
    expect(() => parseLineage(JSON.stringify({ ...whole, ...change }), 'lineage.json')).toThrow(message);
    expect(() => parseLineage('{', 'lineage.json')).toThrow(/lineage.json: is no JSON/);
  });
});
