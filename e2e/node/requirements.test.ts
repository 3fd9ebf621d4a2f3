import { describe, expect, test } from '@jest/globals';
import { realNodeObstacle } from './requirements.ts';

describe('what a machine lacks for a real node', () => {
  test.each([
    [0, [], undefined],
    [1000, [], 'a real node needs root (it mounts, makes a network and starts containers)'],
    [0, ['runc', 'iptables'], 'a real node needs runc, iptables; on Debian: apt-get install runc iptables'],
    [
      1000,
      ['ip'],
      'a real node needs root (it mounts, makes a network and starts containers), ip; on Debian: apt-get install iproute2',
    ],
  ] as const)('as uid %d without %j', (uid, without: readonly string[], expected) => {
    expect(realNodeObstacle({ uid, has: (program) => !without.includes(program) })).toBe(expected);
  });
});
