// onnxruntime-node checks `instanceof Float32Array` against the host realm, while a jest
// test runs in a vm context with constructors of its own. Handing the host's typed arrays to the
// context makes tensors made in a test acceptable to the native binding.
import { TestEnvironment } from 'jest-environment-node';

const HOST_TYPES = [
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int8Array',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
];

export default class HostTypedArraysEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of HOST_TYPES) this.global[name] = globalThis[name];
  }
}
