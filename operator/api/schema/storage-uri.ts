/** Addresses of files in a store. */
import { z } from 'zod';

/**
 * No user, password, query or fragment: a URI stands in status, in pods and in logs, and a signed one would put its
 * secret there.
 */
export function storageUri(schemes: readonly string[]): z.ZodString {
  return z
    .string()
    .max(2048)
    .regex(new RegExp(`^(${schemes.join('|')})://[A-Za-z0-9._~:-]*(/[!-"$->@-~]*)?$`), {
      error: `must be a URI of ${schemes.map((scheme) => `${scheme}://`).join(', ')} without credentials or query`,
    });
}
