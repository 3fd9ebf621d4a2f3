import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { FrameReader, frameBuffers, HEADER } from './child/frames.ts';
import { blockTensor, decodeBlock, encodeBlock } from './child/tensor-block.ts';
import { checkInputs, DATATYPES, elementsOf, rawBytes, rowsOf, viewOf } from './tensors.ts';
import type { Datatype, Tensor, TensorData, TensorSpec } from './types.ts';

const spec: TensorSpec = { name: 'x', datatype: 'FP32', shape: [-1, 2] };
const good: Tensor = { name: 'x', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1, 2) };

describe('the check of a request', () => {
  test('puts inputs into the order of the signature and outputs into that of the request', () => {
    const b = { ...good, name: 'b' };
    const specs = [spec, { ...spec, name: 'b' }];
    const checked = checkInputs({ inputs: [b, good], outputs: ['b', 'x'] }, specs, specs);
    expect(checked.inputs.map((tensor) => tensor.name)).toEqual(['x', 'b']);
    expect(checked.outputs).toEqual([1, 0]);
  });

  test.each<[string, readonly Tensor[], string, readonly string[]]>([
    ['too few inputs', [], 'inputs', []],
    ['an unknown input', [{ ...good, name: 'z' }], 'inputs', []],
    [
      'another datatype',
      [{ ...good, datatype: 'INT32', data: Int32Array.of(1, 2) }],
      'inputs.x.datatype',
      [],
    ],
    ['another rank', [{ ...good, shape: [2] }], 'inputs.x.shape', []],
    ['another width', [{ ...good, shape: [1, 3] }], 'inputs.x.shape', []],
    ['a negative size', [{ ...good, shape: [-1, 2] }], 'inputs.x.shape', []],
    ['no rows', [{ ...good, shape: [0, 2], data: new Float32Array(0) }], 'inputs.x.shape', []],
    ['half a row', [{ ...good, shape: [1.5, 2] }], 'inputs.x.shape', []],
    ['less data than its shape', [{ ...good, shape: [2, 2] }], 'inputs.x.data', []],
    ['data of another kind', [{ ...good, data: Float64Array.of(1, 2) }], 'inputs.x.data', []],
    ['an unknown output', [good], 'outputs', ['q']],
    ['an output twice', [good], 'outputs', ['x', 'x']],
  ])('refuses %s and names the field', (_, inputs, subject, outputs) => {
    expect(() => checkInputs({ inputs, outputs }, [spec], [spec])).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID', subject }),
    );
  });

  test('BOOL is 0 or 1, BYTES is UTF-8', () => {
    const bool: TensorSpec = { name: 'x', datatype: 'BOOL', shape: [1] };
    const two: Tensor = { name: 'x', datatype: 'BOOL', shape: [1], data: Uint8Array.of(2) };
    expect(() => checkInputs({ inputs: [two] }, [bool], [])).toThrow(/neither 0 nor 1/);
    const bytes: TensorSpec = { name: 'x', datatype: 'BYTES', shape: [1] };
    const broken: Tensor = { name: 'x', datatype: 'BYTES', shape: [1], data: [Uint8Array.of(0xff)] };
    expect(() => checkInputs({ inputs: [broken] }, [bytes], [])).toThrow(/UTF-8/);
  });

  test('a Buffer is UINT8 data', () => {
    const bytes: TensorSpec = { name: 'x', datatype: 'UINT8', shape: [-1] };
    const input: Tensor = { name: 'x', datatype: 'UINT8', shape: [3], data: Buffer.from('abc') };
    expect(checkInputs({ inputs: [input] }, [bytes], []).inputs).toEqual([input]);
  });
});

describe('rows', () => {
  test('are cut out without a copy', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const rows = rowsOf(data, 3, 1, 3) as Float32Array;
    expect([...rows]).toEqual([3, 4, 5, 6]);
    expect(rows.buffer).toBe(data.buffer);
  });
});

/** Any tensor, of any datatype. */
const anyTensor = fc
  .record({
    datatype: fc.constantFrom(...(Object.keys(DATATYPES) as Datatype[])),
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
    seed: fc.nat(255),
  })
  .map(({ datatype, shape, seed }) => {
    const count = elementsOf(shape);
    const data: TensorData =
      datatype === 'BYTES'
        ? Array.from({ length: count }, (_, i) => Buffer.from('x'.repeat((seed + i) % 7)))
        : viewOf(datatype, new Uint8Array(8 * count).fill(seed).buffer, 0, count);
    return { datatype, shape, data };
  });

describe('tensors on their way through a pipe', () => {
  test('arrive as they were sent, however the stream is cut, and aligned', () => {
    fc.assert(
      fc.property(
        fc.array(anyTensor, { maxLength: 5 }),
        fc.integer({ min: 1, max: 200 }),
        (tensors, step) => {
          const block = encodeBlock(tensors.map(({ shape, data }, i) => blockTensor(i, shape, data)));
          const stream = Buffer.concat([...frameBuffers(2, 7, block), ...frameBuffers(5, 8, [])]);
          const reader = new FrameReader(1 << 20);
          const frames = [];
          for (let at = 0; at < stream.length; at += step)
            frames.push(...reader.push(stream.subarray(at, at + step)));
          expect(frames.map(({ id, kind }) => [id, kind])).toEqual([
            [7, 2],
            [8, 5],
          ]);
          const payload = frames[0]?.payload ?? Buffer.alloc(0);
          const decoded = decodeBlock(payload, 0, (i) => tensors[i]?.datatype) ?? [];
          expect(decoded.map(({ shape, data }) => [shape, Buffer.from(rawBytes(data))])).toEqual(
            tensors.map(({ shape, data }) => [shape, Buffer.from(rawBytes(data))]),
          );
        },
      ),
    );
  });

  test('several parts become one tensor', () => {
    const parts = [Float32Array.of(1, 2), Float32Array.of(3, 4)].map((data) => rawBytes(data));
    const block = Buffer.concat(encodeBlock([{ index: 0, shape: [2, 2], parts }]));
    expect(decodeBlock(Uint8Array.from(block), 0, () => 'FP32')).toEqual([
      { index: 0, shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
    ]);
  });

  test('nonsense is recognised, never thrown over', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const padded = new Uint8Array(Math.ceil(noise.length / 8) * 8);
        padded.set(noise);
        const decoded = decodeBlock(padded, 0, (i) => (i < 3 ? 'FP32' : undefined));
        for (const tensor of decoded ?? []) expect(tensor.data.length).toBe(elementsOf(tensor.shape));
      }),
    );
  });

  test('a frame that announces too much is refused before memory is taken for it', () => {
    const header = Buffer.alloc(HEADER);
    header.writeUInt32LE(0xffff_fff0, 0);
    expect(() => new FrameReader(1 << 20).push(header)).toThrow(
      expect.objectContaining({ code: 'FRAME_TOO_LONG' }),
    );
  });
});
