/**
 * The certificate of the HTTP face, read again and again: cert-manager writes a renewed one into the same files, and a
 * process that goes on with the old one is refused by everybody when it runs out. New connections get the new one.
 * The files are read on a timer, since a Secret's volume changes them by moving a link, which file watchers miss.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type Server } from 'node:tls';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities that sign the certificates of clients. */
  readonly caFile?: string;
}

export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/** A rotated Secret counts within a minute; the kubelet takes its time too. */
const READ_EVERY_MS = 15_000;

export function readCertificate({ certFile, keyFile, caFile }: CertificateFiles): CertificatePair {
  const pair = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  return caFile === undefined ? pair : { ...pair, ca: readFileSync(caFile, 'utf8') };
}

/**
 * @param current the pair that the server was started with
 * @returns ends the reading
 */
export function followCertificate(
  server: Pick<Server, 'setSecureContext'>,
  { certFile, keyFile, caFile }: CertificateFiles,
  current: CertificatePair,
  clock: Clock,
  log: Logger,
): () => void {
  const textOf = ({ cert, key, ca = '' }: CertificatePair) => `${cert}\n${key}\n${ca}`;
  let served = textOf(current);
  let refused: string | undefined;
  let stopped = false;
  let cancel: () => void = () => {};

  async function look(): Promise<void> {
    const [cert, key, ca] = await Promise.all([
      readFile(certFile, 'utf8'),
      readFile(keyFile, 'utf8'),
      caFile === undefined ? undefined : readFile(caFile, 'utf8'),
    ]);
    const pair = { cert, key, ...(ca === undefined ? {} : { ca }) };
    const text = textOf(pair);
    if (text === served || text === refused) return;
    // Half of a pair, for the two files are not changed in one moment: tried again at the next look.
    refused = text;
    createSecureContext(pair);
    server.setSecureContext(pair);
    served = text;
    log.info('certificate replaced', { file: certFile });
  }

  const next = () => {
    cancel = clock.after(READ_EVERY_MS, () => {
      look()
        .catch((error: unknown) =>
          log.warn('certificate could not be replaced, the old one serves', {
            file: certFile,
            error: messageOf(error),
          }),
        )
        .finally(() => {
          if (!stopped) next();
        });
    });
  };
  next();
  return () => {
    stopped = true;
    cancel();
  };
}
