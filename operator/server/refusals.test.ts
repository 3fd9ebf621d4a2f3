import { describe, expect, test } from '@jest/globals';
import { FakeClock } from '../testing/fake-clock.ts';
import { createRefusals } from './refusals.ts';

/** Time that passes while something is written. */
class BusyClock extends FakeClock {
  #written = 0;

  override monotonic(): number {
    return super.monotonic() + this.#written;
  }

  write(ms: number): void {
    this.#written += ms;
  }
}

function flood(count: number, costMs: number) {
  const clock = new BusyClock();
  const refusals = createRefusals(clock);
  const sent: number[] = [];
  for (let i = 0; i < count; i++)
    refusals.answer(() => {
      clock.write(costMs);
      sent.push(i);
    });
  return { clock, refusals, sent };
}

describe('refusals', () => {
  test('a single one goes out at once, and so does the next after a while', async () => {
    const { clock, refusals, sent } = flood(1, 0.1);
    expect(sent).toEqual([0]);
    await clock.advance(10);
    refusals.answer(() => sent.push(1));
    expect(sent).toEqual([0, 1]);
  });

  test('a flood goes out in the order in which it came, a little at a time', async () => {
    const { clock, sent } = flood(1_000, 0.1);
    await clock.advance(500);
    // A thirty-second part of the time, in writes of 0.1 ms.
    expect(sent.length).toBeGreaterThan(100);
    expect(sent.length).toBeLessThan(250);
    expect(sent).toEqual(Array.from(sent, (_, i) => i));
  });

  test('nobody waits for much longer than a second', async () => {
    const { clock, sent } = flood(20_000, 0.1);
    await clock.advance(1_100);
    expect(sent).toHaveLength(20_000);
  });

  test('writes that take no time are never held back', () => {
    expect(flood(100, 0).sent).toHaveLength(100);
  });
});
