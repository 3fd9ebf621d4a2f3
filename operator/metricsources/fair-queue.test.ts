import { describe, expect, test } from '@jest/globals';
import { FairQueue } from './fair-queue.ts';
import { ReadError } from './read-error.ts';

const limits = { concurrent: 2, concurrentPerNamespace: 1, queued: 4, queuedPerNamespace: 3 };
const never = new AbortController().signal;
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Work that ends when it is told to, and a record of what was started. */
function workshop(queue: FairQueue) {
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const submit = (namespace: string, id: string, signal = never) =>
    queue.run(namespace, signal, () => {
      started.push(id);
      return new Promise<void>((resolve) => ends.set(id, resolve));
    });
  const end = async (id: string) => {
    ends.get(id)?.();
    await settled();
  };
  return { started, submit, end };
}

describe('a fair queue', () => {
  test('serves namespaces in turn and none above its share', async () => {
    const queue = new FairQueue(limits);
    const { started, submit, end } = workshop(queue);
    const all = [
      submit('a', 'a1'),
      submit('a', 'a2'),
      submit('a', 'a3'),
      submit('b', 'b1'),
      submit('b', 'b2'),
    ];
    await settled();
    expect(started).toEqual(['a1', 'b1']);
    await end('a1');
    expect(started).toEqual(['a1', 'b1', 'a2']);
    await end('b1');
    expect(started).toEqual(['a1', 'b1', 'a2', 'b2']);
    await end('b2');
    await end('a2');
    await end('a3');
    await Promise.all(all);
    expect([queue.running, queue.queued]).toEqual([0, 0]);
  });

  test('refuses what would wait too long, and keeps room for the others', async () => {
    const queue = new FairQueue(limits);
    const { submit, end, started } = workshop(queue);
    const kept = ['a1', 'a2', 'a3', 'a4'].map((id) => submit('a', id));
    await expect(submit('a', 'a5')).rejects.toMatchObject({ reason: 'Overloaded' });
    kept.push(submit('b', 'b1'));
    kept.push(submit('b', 'b2'));
    await expect(submit('b', 'b3')).rejects.toBeInstanceOf(ReadError);
    for (const id of ['a1', 'a2', 'a3', 'a4', 'b1', 'b2']) await end(id);
    await Promise.all(kept);
    expect(started).toHaveLength(6);
  });

  test('forgets who left the line', async () => {
    const queue = new FairQueue(limits);
    const { submit, end, started } = workshop(queue);
    const controller = new AbortController();
    const first = submit('a', 'a1');
    const left = submit('a', 'a2', controller.signal);
    const last = submit('a', 'a3');
    controller.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    await end('a1');
    await end('a3');
    await Promise.all([first, last]);
    expect(started).toEqual(['a1', 'a3']);
    expect([queue.running, queue.queued]).toEqual([0, 0]);
  });

  test('goes on after work that failed', async () => {
    const queue = new FairQueue(limits);
    await expect(queue.run('a', never, () => Promise.reject(new Error('x')))).rejects.toThrow('x');
    expect(await queue.run('a', never, () => Promise.resolve(5))).toBe(5);
  });
});
