/** Which addresses are refused stands in address.test.ts; over connections, in the tests of those who connect. */
import { expect, test } from '@jest/globals';
import { ForesailError } from '../errors.ts';
import { peerFault } from './guarded-connector.ts';

const refused = new ForesailError('ADDRESS_NOT_ALLOWED', 'terminal', 'refused');
const refusal = (address: string) => (address === '127.0.0.1' ? refused : undefined);

test('the peer of a socket is checked', () => {
  expect(peerFault('192.0.2.1', refusal)).toBeUndefined();
  expect(peerFault('127.0.0.1', refusal)).toBe(refused);
});

test('a connection that was reset before anybody looked at its peer may be tried again', () => {
  expect(peerFault(undefined, refusal)).toMatchObject({ code: 'ADDRESS_UNKNOWN', retry: 'transient' });
});
