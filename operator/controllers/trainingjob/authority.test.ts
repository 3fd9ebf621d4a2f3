import { expect, test } from '@jest/globals';
import { selfSigned } from '../../metricsources/testing/certificate.ts';
import { authoritiesOf } from './authority.ts';

const [one, two] = [selfSigned(), selfSigned()];
const of = (text: string) => authoritiesOf('/ca.crt', async () => text);

test('all certificates of the file are handed on', async () => {
  expect(await of(`# ours\n${one.cert}\n${two.cert}`)).toBe(`${one.cert}${two.cert}`);
});

test('a key that lies beside them is not', async () => {
  const bundle = await of(`${one.cert}${one.key}`);
  expect(bundle).toBe(one.cert);
  await expect(of(one.key)).rejects.toMatchObject({
    code: 'AUTHORITY_INVALID',
    message: 'training.caFile: /ca.crt holds no certificate in PEM',
  });
});

test.each([
  ['nothing', ''],
  ['a certificate that is cut', one.cert.replace(/\n.{40}/, '\n')],
])('%s is refused by the name of the setting', async (_, text) => {
  await expect(of(text)).rejects.toMatchObject({
    code: 'AUTHORITY_INVALID',
    retry: 'terminal',
    message: expect.stringContaining('training.caFile: /ca.crt holds'),
  });
});

test('a file that is not there is refused, too', async () => {
  const missing = authoritiesOf('/ca.crt', async () => Promise.reject(new Error('ENOENT: no such file')));
  await expect(missing).rejects.toMatchObject({ message: 'training.caFile: ENOENT: no such file' });
});
