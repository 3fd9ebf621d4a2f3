/** The authorities by which the pods of a run know the operator, out of the administrator's file. */
import { X509Certificate } from 'node:crypto';
import { ForesailError, messageOf } from '../../errors.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * @param read gives the file's text, anew for each attempt: a renewed authority counts from the next one on
 * @returns its certificates and nothing else, in PEM: what stands beside them, such as a key, is nobody's business in the
 *   namespaces of tenants
 * @throws ForesailError AUTHORITY_INVALID (terminal) when the file cannot be read or has none
 */
export async function authoritiesOf(path: string, read: (path: string) => Promise<string>): Promise<string> {
  const invalid = (problem: string, cause?: unknown) =>
    new ForesailError('AUTHORITY_INVALID', 'terminal', `training.caFile: ${problem}`, {
      subject: 'training.caFile',
      cause,
    });
  const text = await read(path).catch((error: unknown) => {
    throw invalid(messageOf(error), error);
  });
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0) throw invalid(`${path} holds no certificate in PEM`);
  for (const each of found)
    try {
      void new X509Certificate(each);
    } catch (error) {
      throw invalid(`${path} holds a certificate that cannot be read: ${messageOf(error)}`, error);
    }
  return `${found.join('\n')}\n`;
}
