import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { gaussian, seeded } from '../testing/series.ts';
import { Adwin, type AdwinOptions } from './adwin.ts';

const OPTIONS: AdwinOptions = { delta: 0.002, minPart: 5, maxWidth: 4096 };
const clip = (value: number) => Math.min(Math.max(value, 0), 1);

function stream(length: number, seed: number, mean: (i: number) => number, spread = 0.1): number[] {
  const noise = gaussian(seeded(seed));
  return Array.from({ length }, (_, i) => clip(mean(i) + spread * noise()));
}

describe('the window', () => {
  test('holds the mean and the number of its values exactly', () => {
    const values = stream(1000, 1, () => 0.5);
    const adwin = new Adwin(OPTIONS);
    for (const value of values) adwin.add(value);
    expect(adwin.width).toBe(1000);
    expect(adwin.mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / 1000, 12);
  });

  test('grows logarithmically in memory and never past its limit', () => {
    const adwin = new Adwin({ ...OPTIONS, maxWidth: 300 });
    for (const value of stream(5000, 2, () => 0.5)) adwin.add(value);
    expect(adwin.width).toBeLessThanOrEqual(300);
    expect(adwin.width).toBeGreaterThan(200);
    expect(adwin.toState().flat().length).toBeLessThanOrEqual(5 * 8);
  });

  test('is the same after a restart', () => {
    const values = stream(700, 3, (i) => (i < 650 ? 0.2 : 0.8));
    const whole = new Adwin(OPTIONS);
    let halved = new Adwin(OPTIONS);
    values.forEach((value, i) => {
      if (i === 333) halved = Adwin.fromState(JSON.parse(JSON.stringify(halved.toState())), OPTIONS);
      const [a, b] = [whole.add(value), halved.add(value)];
      expect(b === undefined).toBe(a === undefined);
    });
    expect(halved.width).toBe(whole.width);
    expect(halved.mean).toBeCloseTo(whole.mean, 6);
  });

  test('takes any number without breaking', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true }), { maxLength: 300 }), (values) => {
        const adwin = new Adwin(OPTIONS);
        for (const value of values) adwin.add(value);
        expect(adwin.width).toBeLessThanOrEqual(values.length);
        if (adwin.width > 0) expect(adwin.mean).toBeGreaterThanOrEqual(0);
        if (adwin.width > 0) expect(adwin.mean).toBeLessThanOrEqual(1 + 1e-9);
      }),
    );
  });
});

describe('a cut', () => {
  test('comes soon after the mean has changed and leaves what is new', () => {
    const adwin = new Adwin(OPTIONS);
    const values = stream(1000, 4, (i) => (i < 500 ? 0.3 : 0.6));
    const cuts = values.map((value, i) => ({ i, cut: adwin.add(value) })).filter(({ cut }) => cut);
    expect(cuts[0]?.i).toBeGreaterThanOrEqual(500);
    expect(cuts[0]?.i).toBeLessThan(550);
    expect(cuts[0]?.cut?.before).toBeCloseTo(0.3, 1);
    expect(cuts[0]?.cut?.after).toBeGreaterThan(cuts[0]?.cut?.before ?? 1);
    expect(adwin.mean).toBeCloseTo(0.6, 1);
  });

  test('comes for a fall as for a rise', () => {
    const adwin = new Adwin(OPTIONS);
    const cuts = stream(600, 5, (i) => (i < 300 ? 0.6 : 0.3)).map((value) => adwin.add(value));
    expect(cuts.some((cut) => cut !== undefined && cut.after < cut.before)).toBe(true);
  });

  test('does not come for noise: at most one in 20 streams of 2,000 values', () => {
    const alarmed = Array.from({ length: 20 }, (_, seed) => {
      const adwin = new Adwin(OPTIONS);
      return stream(2000, 100 + seed, () => 0.5, 0.2).some((value) => adwin.add(value) !== undefined);
    });
    expect(alarmed.filter(Boolean).length).toBeLessThanOrEqual(1);
  });

  test('does not come for a constant', () => {
    const adwin = new Adwin(OPTIONS);
    for (let i = 0; i < 3000; i++) expect(adwin.add(0.25)).toBeUndefined();
  });
});
