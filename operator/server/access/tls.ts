/**
 * TLS of both protocols out of one set of files, which are read again and again: a renewed certificate serves without a
 * restart. With authorities for clients, HTTP asks for a certificate and the guard says what happens without one, since
 * a kubelet has none; gRPC, which no kubelet calls then, ends such a connection.
 */
import { constants, X509Certificate } from 'node:crypto';
import { createSecureContext, type Server } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '../../clock.ts';
import { ForesailError, messageOf } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import {
  type CertificateFiles,
  type CertificatePair,
  followCertificate,
  readCertificate,
} from '../../observability/certificate.ts';

export interface ServerTls {
  /** For an HTTPS server; `follow` keeps its certificate fresh. */
  readonly https: CertificatePair & {
    readonly requestCert: boolean;
    readonly rejectUnauthorized: false;
    readonly secureOptions?: number;
  };
  readonly grpc: ServerCredentials;
  /** @returns ends the reading of the files */
  follow(https: Pick<Server, 'setSecureContext'>): () => void;
}

/** @throws TLS_FILES_INVALID */
export function openTls(files: CertificateFiles, clock: Clock, log: Logger): ServerTls {
  const pair = readTls(files);
  const mutual = pair.ca !== undefined;
  const grpc = new FollowedCredentials(pair, mutual);
  return {
    https: {
      ...pair,
      requestCert: mutual,
      rejectUnauthorized: false,
      // A resumed session would carry over what an authority that was taken away had signed.
      ...(mutual ? { secureOptions: constants.SSL_OP_NO_TICKET } : {}),
    },
    grpc,
    follow: (https) =>
      followCertificate(
        {
          setSecureContext(next) {
            https.setSecureContext(next);
            grpc.replace(next as CertificatePair);
          },
        },
        files,
        pair,
        clock,
        log,
      ),
  };
}

function readTls(files: CertificateFiles): CertificatePair {
  try {
    const pair = readCertificate(files);
    // An empty file would pass for no certificate at all.
    for (const pem of [pair.cert, pair.ca]) if (pem !== undefined) void new X509Certificate(pem);
    createSecureContext(pair);
    return pair;
  } catch (cause) {
    throw new ForesailError(
      'TLS_FILES_INVALID',
      'terminal',
      `the TLS files cannot be used: ${messageOf(cause)}`,
      { subject: '--tls-cert-file', cause },
    );
  }
}

/** A connection that never gets further must not hold its place. */
const HANDSHAKE_MS = 10_000;

/** The library's own cannot be given another certificate while it serves. */
class FollowedCredentials extends ServerCredentials {
  constructor(pair: CertificatePair, mutual: boolean) {
    super({ requestCert: mutual, rejectUnauthorized: mutual, handshakeTimeout: HANDSHAKE_MS }, pair);
  }

  replace(pair: CertificatePair): void {
    this.updateSecureContextOptions(pair);
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
