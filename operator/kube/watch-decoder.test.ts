import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { WatchDecoder, type WatchEvent } from './watch-decoder.ts';

function decode(chunks: readonly Uint8Array[], maxLineBytes?: number): WatchEvent[] {
  const decoder = new WatchDecoder(maxLineBytes);
  const events = chunks.flatMap((chunk) => [...decoder.push(chunk)]);
  decoder.end();
  return events;
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

const event = fc
  .record({
    type: fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'),
    object: fc.record({
      metadata: fc.record({ name: fc.string({ unit: 'binary' }), resourceVersion: fc.nat().map(String) }),
      data: fc.dictionary(fc.string(), fc.string({ unit: 'binary' })),
    }),
  })
  .map((value) => JSON.parse(JSON.stringify(value)) as WatchEvent);

/** Cuts `stream` at the given places. */
function cut(stream: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => stream.subarray(start, at[i] ?? stream.length));
}

describe('WatchDecoder', () => {
  test('gives the same events however the stream is cut, also inside characters', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 40 }),
        (events, places) => {
          const stream = bytes(events.map((each) => `${JSON.stringify(each)}\n`).join(''));
          expect(decode(cut(stream, places))).toEqual(events);
        },
      ),
    );
  });

  test('gives the same events byte by byte', () => {
    const one = { type: 'ADDED', object: { metadata: { name: 'ä😀\\"', resourceVersion: '1' } } };
    const stream = bytes(`${JSON.stringify(one)}\r\n\n${JSON.stringify(one)}\n`);
    expect(decode([...stream].map((byte) => Uint8Array.of(byte)))).toEqual([one, one]);
  });

  test('any damage to the stream is an error or leaves the events as they were; nothing is skipped', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 4 }), fc.nat(), (events, at) => {
        const stream = bytes(events.map((each) => `${JSON.stringify(each)}\n`).join(''));
        const cutShort = stream.subarray(0, at % stream.length);
        const whole = Buffer.from(cutShort).toString('latin1').split('\n').length - 1;
        const inLine = cutShort.length > 0 && cutShort.at(-1) !== 0x0a;
        if (inLine) expect(() => decode([cutShort])).toThrow(/inside a line/);
        else expect(decode([cutShort])).toEqual(events.slice(0, whole));
      }),
    );
  });

  test.each([
    ['half a line', '{"type":"ADDED","obj\n', /not JSON/],
    ['HTML', '<html>Log in</html>\n', /not JSON/],
    [
      'an unknown type',
      '{"type":"RENAMED","object":{"metadata":{"name":"a","resourceVersion":"1"}}}\n',
      /unknown type/,
    ],
    ['no type', '{"object":{"metadata":{"name":"a","resourceVersion":"1"}}}\n', /unknown type/],
    ['no object', '{"type":"ADDED"}\n', /without an object/],
    ['null', 'null\n', /without an object/],
    [
      'an object without name',
      '{"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}}\n',
      /without name/,
    ],
    [
      'a number as version',
      '{"type":"MODIFIED","object":{"metadata":{"name":"a","resourceVersion":1}}}\n',
      /without name/,
    ],
    ['a bookmark without version', '{"type":"BOOKMARK","object":{"metadata":{}}}\n', /bookmark/],
  ])('refuses %s and does not quote it', (_, stream, message) => {
    expect(() => decode([bytes(stream)])).toThrow(message);
    expect(() => decode([bytes(stream)])).not.toThrow(/Log in/);
  });

  test('passes an ERROR on with its status', () => {
    const status = { kind: 'Status', code: 410, reason: 'Expired' };
    expect(decode([bytes(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)])).toEqual([
      { type: 'ERROR', status },
    ]);
  });

  test('takes an object of 2 MB and refuses one beyond the limit before it is complete', () => {
    const big = {
      type: 'ADDED',
      object: { metadata: { name: 'big', resourceVersion: '1' }, data: { x: 'y'.repeat(2_000_000) } },
    };
    const stream = bytes(`${JSON.stringify(big)}\n`);
    expect(decode(cut(stream, [65_536, 1_000_000, 1_999_999]))).toEqual([big]);
    const decoder = new WatchDecoder(1_000_000);
    expect(() => [...decoder.push(stream.subarray(0, 1_000_001))]).toThrow(/longer than 1000000 bytes/);
  });

  test('a key named __proto__ stays data', () => {
    const [first] = decode([
      bytes(
        '{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"},"__proto__":{"x":1}}}\n',
      ),
    ]);
    expect(({} as { x?: number }).x).toBeUndefined();
    expect(first).toMatchObject({ type: 'ADDED' });
  });
});
