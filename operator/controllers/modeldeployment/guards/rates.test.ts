import { describe, expect, test } from '@jest/globals';
import type { PodCounters } from './exposition.ts';
import { type PodLook, RATE_GUARDS, RateGuards } from './rates.ts';

const BOUNDS = [0.01, 0.1, 1, Infinity];
const HOUR = 3_600_000;

/** A pod whose server counts. */
class Pod {
  ageMs = HOUR;
  startedAt = 1;
  answers = true;
  #outcomes = new Map<string, number>();
  #nonFinite = 0;
  #latency = new Map<number, number>();
  readonly uid: string;

  constructor(uid: string, ageMs = HOUR) {
    this.uid = uid;
    this.ageMs = ageMs;
  }

  serve(count: number, { outcome = 'success', nan = false, seconds = 0.005 } = {}): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + count);
    if (outcome !== 'success') return;
    if (nan) this.#nonFinite += count;
    for (const bound of BOUNDS)
      this.#latency.set(bound, (this.#latency.get(bound) ?? 0) + (seconds <= bound ? count : 0));
  }

  restart(): void {
    this.startedAt += 1;
    this.#outcomes = new Map();
    this.#nonFinite = 0;
    this.#latency = new Map();
  }

  look(): PodLook {
    const counters: PodCounters = {
      startedAt: this.startedAt,
      outcomes: new Map(this.#outcomes),
      nonFinite: this.#nonFinite,
      latency: new Map(this.#latency),
    };
    return { uid: this.uid, ageMs: this.ageMs, counters: this.answers ? counters : undefined };
  }
}

function setUp(stable: readonly Pod[], canary: readonly Pod[]) {
  const guards = new RateGuards({ names: RATE_GUARDS, minRequests: 500 });
  const look = () =>
    guards.take(
      stable.map((pod) => pod.look()),
      canary.map((pod) => pod.look()),
    );
  look();
  return {
    look,
    rounds(count: number, serve: (round: number) => void) {
      for (let i = 0; i < count; i++) {
        serve(i);
        look();
      }
    },
    get outcomes() {
      return Object.fromEntries(guards.findings.map(({ name, outcome }) => [name, outcome]));
    },
    of: (name: string) => guards.findings.find((finding) => finding.name === name),
  };
}

describe('two versions that do alike', () => {
  test('are passed after enough requests of both', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(4, () => [a, b].forEach((pod) => pod.serve(100)));
    expect(world.outcomes).toEqual({ Errors: 'Waiting', Latency: 'Waiting', NaN: 'Waiting' });
    world.rounds(3, () => [a, b].forEach((pod) => pod.serve(100)));
    expect(world.outcomes).toEqual({ Errors: 'Passed', Latency: 'Passed', NaN: 'Passed' });
  });

  test('are passed also where both fail, as a client that sends nonsense makes them', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(20, () =>
      [a, b].forEach((pod) => {
        pod.serve(60);
        pod.serve(40, { outcome: 'invalid' });
      }),
    );
    expect(world.outcomes['Errors']).toBe('Passed');
  });

  test('a client that went away is nobody’s failure and no request', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(20, () => {
      a.serve(100);
      b.serve(1000, { outcome: 'canceled' });
    });
    expect(world.of('Errors')).toMatchObject({ outcome: 'Waiting', compared: 0 });
  });
});

describe('a version that does worse', () => {
  test.each([1, 0.05])('is not passed by a single look at many requests, of which it fails %d', (share) => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    const round = () => {
      a.serve(2_000);
      b.serve(2_000 * (1 - share));
      b.serve(2_000 * share, { outcome: 'invalid' });
    };
    for (let looks = 1; looks <= 2; looks++) {
      world.rounds(1, round);
      expect(world.outcomes['Errors']).toBe('Waiting');
    }
    world.rounds(2, round);
    expect(world.outcomes['Errors']).toBe('Breached');
  });

  test.each(['backend', 'deadline', 'rejected', 'invalid'])('by %s', (outcome) => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(4, () => {
      a.serve(100);
      b.serve(90);
      b.serve(10, { outcome });
    });
    expect(world.of('Errors')).toMatchObject({
      outcome: 'Breached',
      message: 'it fails more often than stable',
    });
    expect(world.outcomes['NaN']).toBe('Waiting');
  });

  test('by NaN, with answers that count as served', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(4, () => {
      a.serve(100);
      b.serve(80);
      b.serve(20, { nan: true });
    });
    expect(world.outcomes).toMatchObject({ NaN: 'Breached', Errors: 'Waiting' });
  });

  test('by answers that are slower than stable’s usual ones', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(8, () => {
      a.serve(100, { seconds: 0.05 });
      b.serve(70, { seconds: 0.05 });
      b.serve(30, { seconds: 0.5 });
    });
    expect(world.outcomes).toMatchObject({ Latency: 'Breached', Errors: 'Passed' });
  });

  test('is not told by one moment in which its node hangs', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(20, (round) => {
      a.serve(100);
      b.serve(100, { seconds: round === 10 ? 0.5 : 0.005 });
    });
    expect(world.outcomes['Latency']).toBe('Passed');
  });

  test('is not told by errors of one moment either', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(20, (round) => {
      a.serve(900);
      b.serve(100, { outcome: round === 0 ? 'backend' : 'success' });
    });
    expect(world.outcomes['Errors']).toBe('Passed');
  });

  test('by errors of a share that is the canary’s tenth, within a minute', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(4, () => {
      a.serve(900);
      b.serve(50);
      b.serve(50, { outcome: 'backend' });
    });
    expect(world.outcomes['Errors']).toBe('Breached');
  });

  test('is not told by a tail that is a little longer', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(60, () => {
      a.serve(98, { seconds: 0.005 });
      a.serve(2, { seconds: 0.5 });
      b.serve(97, { seconds: 0.005 });
      b.serve(3, { seconds: 0.5 });
    });
    expect(world.outcomes['Latency']).toBe('Passed');
  });
});

describe('what is not known is not zero', () => {
  test('a pod that began anew compares nothing until it was seen twice', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(30, () => {
      a.serve(100);
      b.restart();
      b.serve(100, { outcome: 'backend' });
    });
    expect(world.of('Errors')).toMatchObject({ outcome: 'Waiting', compared: 0 });
  });

  test('counters that fall without a new start compare nothing', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    b.serve(1000);
    const world = setUp([a], [b]);
    b.restart();
    b.startedAt -= 1;
    a.serve(100);
    world.look();
    expect(world.of('Errors')?.compared).toBe(0);
  });

  test('a version without an answer is blind after a while, and sees again', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    b.answers = false;
    world.rounds(3, () => a.serve(100));
    expect(world.outcomes['Errors']).toBe('Waiting');
    world.rounds(1, () => a.serve(100));
    expect(world.of('NaN')).toMatchObject({
      outcome: 'Blind',
      message: 'no pod of the new version can be asked',
    });
    b.answers = true;
    world.look();
    expect(world.outcomes['Errors']).toBe('Waiting');
  });

  test('a breach stays one when nothing is seen any more', () => {
    const [a, b] = [new Pod('a'), new Pod('b')];
    const world = setUp([a], [b]);
    world.rounds(4, () => {
      a.serve(100);
      b.serve(100, { outcome: 'backend' });
    });
    b.answers = false;
    world.rounds(9, () => a.serve(100));
    expect(world.outcomes['Errors']).toBe('Breached');
  });
});

describe('pods are compared with those of their age', () => {
  test('where stable has young ones, those alone count', () => {
    const [old, young, canary] = [new Pod('old'), new Pod('young', 90_000), new Pod('canary', 60_000)];
    const world = setUp([old, young], [canary]);
    world.rounds(10, () => {
      old.serve(1000);
      // Cold caches make both fail.
      for (const pod of [young, canary]) {
        pod.serve(90);
        pod.serve(10, { outcome: 'deadline' });
      }
    });
    expect(world.of('Errors')).toMatchObject({ outcome: 'Passed', compared: 1000 });
  });

  test('the first seconds of a pod are not counted', () => {
    const [a, b] = [new Pod('a'), new Pod('b', 5_000)];
    const world = setUp([a], [b]);
    world.rounds(4, () => {
      a.serve(100);
      b.serve(100, { outcome: 'deadline' });
    });
    expect(world.of('Errors')?.compared).toBe(0);
    b.ageMs = 60_000;
    world.rounds(6, () => [a, b].forEach((pod) => pod.serve(100)));
    expect(world.outcomes['Errors']).toBe('Passed');
  });
});
