/** A self-signed certificate for 127.0.0.1, made on the spot: tests keep no private key in the repository. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

function der(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  // As short as it can be written: Go refuses anything longer.
  if (body.length < 256) return Buffer.concat([Buffer.from([tag, 0x81, body.length]), body]);
  return Buffer.concat([Buffer.from([tag, 0x82, body.length >> 8, body.length & 255]), body]);
}

const sequence = (...parts: readonly Buffer[]) => der(0x30, ...parts);
const oid = (...bytes: readonly number[]) => der(0x06, Buffer.from(bytes));
const time = (ms: number) => der(0x17, `${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`);

export interface Certificate {
  /** PEM; its own authority. */
  readonly cert: string;
  readonly key: string;
}

export interface Subject {
  readonly commonName?: string;
  /** E.g. a SPIFFE identity. */
  readonly uri?: string;
}

export function selfSigned(nowMs: number = Date.now(), subject: Subject = {}): Certificate {
  const { commonName = 'foresail test', uri } = subject;
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
  const name = sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), der(0x0c, commonName))));
  const extension = (id: Buffer, value: Buffer) => sequence(id, der(0x04, value));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    sequence(time(nowMs - 3_600_000), time(nowMs + 86_400_000)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        extension(oid(0x55, 0x1d, 0x13), sequence(der(0x01, Buffer.from([255])))),
        extension(
          oid(0x55, 0x1d, 0x11),
          sequence(der(0x87, Buffer.from([127, 0, 0, 1])), ...(uri === undefined ? [] : [der(0x86, uri)])),
        ),
      ),
    ),
  );
  const signature = sign('sha256', body, privateKey);
  const certificate = sequence(body, algorithm, der(0x03, Buffer.from([0]), signature));
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
