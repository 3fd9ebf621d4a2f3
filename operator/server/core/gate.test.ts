import { expect, test } from '@jest/globals';
import { Gate } from './gate.ts';

const never = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('so many at a time, in order, and who gives up makes room', async () => {
  const gate = new Gate(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const start = (n: number, signal = never): Promise<void> =>
    gate.run(() => {
      begun.push(n);
      return new Promise((resolve) => ends.push(resolve));
    }, signal);
  const impatient = new AbortController();
  const works = [start(1), start(2)];
  const given = start(3, impatient.signal);
  works.push(start(4), start(5));
  impatient.abort(new Error('enough'));
  await expect(given).rejects.toThrow('enough');
  expect(begun).toEqual([1, 2]);
  ends[1]?.();
  await turn();
  expect(begun).toEqual([1, 2, 4]);
  ends[0]?.();
  await turn();
  expect(begun).toEqual([1, 2, 4, 5]);
  for (const end of ends) end();
  await Promise.all(works);
});

test('work that fails leaves its place', async () => {
  const gate = new Gate(1);
  await expect(gate.run(() => Promise.reject(new Error('no')), never)).rejects.toThrow('no');
  await expect(gate.run(() => Promise.resolve(7), never)).resolves.toBe(7);
});
