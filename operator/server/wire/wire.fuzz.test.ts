/**
 * Properties of the parsers under arbitrary input: they answer or refuse with a named error, and what was written is
 * read back as it was.
 */
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { isForesailError } from '../../errors.ts';
import { DATATYPES, elementsOf, rawBytes, viewOf } from '../core/tensors.ts';
import type { Datatype, Tensor } from '../core/types.ts';
import { faultOf } from './errors.ts';
import { writeInferAnswer } from './infer-answer.ts';
import { readInferRequest } from './infer-request.ts';
import { parseJson } from './json-text.ts';
import { readRaw } from './raw.ts';

const NONE = new Uint8Array();
const names = Object.keys(DATATYPES) as Datatype[];

const numbers = fc
  .tuple(fc.constantFrom(...names.filter((name) => name !== 'BYTES')), fc.array(fc.nat(3), { maxLength: 3 }))
  .chain(([datatype, shape]) => {
    const count = elementsOf(shape);
    const { size } = DATATYPES[datatype];
    const byte = datatype === 'BOOL' ? fc.nat(1) : fc.nat(255);
    return fc.array(byte, { minLength: count * size, maxLength: count * size }).map((bytes): Tensor => {
      const buffer = Uint8Array.from(bytes).buffer;
      return { name: 'x', datatype, shape, data: viewOf(datatype, buffer, 0, count) };
    });
  });
const texts = fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 }).map(
  (list): Tensor => ({
    name: 'x',
    datatype: 'BYTES',
    shape: [list.length],
    data: list.map((text) => new Uint8Array(Buffer.from(text))),
  }),
);
const tensors = fc.oneof(numbers, texts);

/** A lone surrogate has no UTF-8 form, so what is compared went through bytes already. */
function sent(tensor: Tensor, asBinary: boolean): { json: unknown; binary: Uint8Array } {
  const written = writeInferAnswer(
    { model: 'm', version: '1', outputs: [tensor] },
    undefined,
    () => asBinary,
  );
  const bytes = Buffer.from(written.body);
  const length = written.jsonLength ?? bytes.length;
  const { outputs } = parseJson(bytes.subarray(0, length)) as { outputs: unknown[] };
  return { json: { inputs: outputs }, binary: bytes.subarray(length) };
}

test('a tensor written as bytes is read back bit by bit', () => {
  fc.assert(
    fc.property(tensors, (tensor) => {
      const { json, binary } = sent(tensor, true);
      const [read] = readInferRequest({ model: 'm' }, json, binary).request.inputs;
      expect(read).toMatchObject({ name: 'x', datatype: tensor.datatype, shape: tensor.shape });
      expect(Buffer.from(rawBytes((read as Tensor).data))).toEqual(Buffer.from(rawBytes(tensor.data)));
    }),
  );
});

test('a tensor written as JSON is read back equal, or is refused because JSON cannot say it', () => {
  fc.assert(
    fc.property(tensors, (tensor) => {
      let written: ReturnType<typeof sent>;
      try {
        written = sent(tensor, false);
      } catch (error) {
        expect(isForesailError(error, 'INPUT_INVALID')).toBe(true);
        const floats = Array.from(tensor.data as Float32Array);
        expect(tensor.datatype === 'FP16' || floats.some((value) => Math.abs(value) === Infinity)).toBe(true);
        return;
      }
      const [read] = readInferRequest({ model: 'm' }, written.json, NONE).request.inputs;
      // A NaN has many bit patterns; JSON keeps that it is one. A minus before a zero is lost there.
      const plain = (data: Tensor['data']) =>
        Array.from(data as Iterable<unknown>, (item) => (item === 0 ? 0 : item));
      expect(plain((read as Tensor).data)).toEqual(plain(tensor.data).map((item) => item));
    }),
  );
});

/** Half-right requests reach further into the parser than random ones. */
const crooked = fc.record(
  {
    id: fc.oneof(fc.string(), fc.anything()),
    parameters: fc.oneof(
      fc.dictionary(fc.string(), fc.oneof(fc.boolean(), fc.double(), fc.string())),
      fc.anything(),
    ),
    inputs: fc.array(
      fc.oneof(
        fc.record(
          {
            name: fc.oneof(fc.constant('x'), fc.anything()),
            datatype: fc.oneof(fc.constantFrom(...names), fc.anything()),
            shape: fc.oneof(fc.array(fc.oneof(fc.nat(3), fc.integer(), fc.double())), fc.anything()),
            data: fc.oneof(fc.array(fc.oneof(fc.integer(), fc.double(), fc.string())), fc.anything()),
            parameters: fc.oneof(
              fc.record({ binary_data_size: fc.oneof(fc.nat(20), fc.anything()) }),
              fc.anything(),
            ),
          },
          { requiredKeys: [] },
        ),
        fc.anything(),
      ),
      { maxLength: 3 },
    ),
    outputs: fc.oneof(fc.array(fc.record({ name: fc.string(), parameters: fc.anything() })), fc.anything()),
  },
  { requiredKeys: [] },
);

test('whatever is sent, the answer is a request or an error for the caller', () => {
  fc.assert(
    fc.property(fc.oneof(crooked, fc.anything()), fc.uint8Array({ maxLength: 24 }), (value, binary) => {
      let text: string;
      try {
        text = JSON.stringify(value) ?? 'null';
      } catch {
        return;
      }
      expectRefusal(() => readInferRequest({ model: 'm' }, parseJson(Buffer.from(text)), binary));
    }),
    { numRuns: 500 },
  );
});

test('whatever bytes are sent as JSON, the answer is a value or an error for the caller', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => expectRefusal(() => parseJson(bytes)),
    ),
  );
});

test('bytes of any length fit their shape exactly or are refused', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.nat(5),
      fc.uint8Array({ maxLength: 48 }),
      (datatype, count, bytes) => {
        expectRefusal(() => expect(readRaw(datatype, count, bytes, 'x')).toHaveLength(count));
      },
    ),
  );
});

function expectRefusal(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!isForesailError(error)) throw error;
    expect(faultOf(error)).toMatchObject({ outcome: 'invalid', message: expect.stringMatching(/./) });
    expect(faultOf(error).http).not.toBe(500);
  }
}
