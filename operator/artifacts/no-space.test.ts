import { expect, test } from '@jest/globals';
import { ForesailError } from '../errors.ts';
import { isNoSpace } from './no-space.ts';

const errno = (code: string) => Object.assign(new Error(code), { code });
const around = (cause: unknown) => new ForesailError('ARTIFACT_DENIED', 'terminal', 'model.onnx', { cause });

test.each<[string, unknown, boolean]>([
  ['a full disk', errno('ENOSPC'), true],
  ['a spent quota', errno('EDQUOT'), true],
  ['either, however deep', around(around(errno('EDQUOT'))), true],
  ['a disk that may not be written to', around(errno('EROFS')), false],
  ['what is no error at all', { code: 'ENOSPC' }, false],
])('%s', (_, error, answer) => {
  expect(isNoSpace(error)).toBe(answer);
});
