/** Spreads what a fleet does periodically: scalers that were created or restarted together do not come together. */

/** A share of the period in [0, 1), evenly spread over random uids (RFC 9562, version 4); 0 for any other text. */
export function phaseOf(uid: string): number {
  return /^[0-9a-f]{8}-/.test(uid) ? Number.parseInt(uid.slice(0, 8), 16) / 2 ** 32 : 0;
}
