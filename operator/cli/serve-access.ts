/** What the flags of `foresail serve` say about who may call: TLS, authentication and the rate limit. */
import { systemClock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import {
  type Authentication,
  certificateAuthentication,
  tokenAuthentication,
} from '../server/access/authentication.ts';
import { createGuard } from '../server/access/guard.ts';
import { createRateLimiter } from '../server/access/rate-limit.ts';
import { openTls } from '../server/access/tls.ts';
import type { ServerParts } from '../server/serve.ts';
import type { ServeFlags } from './serve-flags.ts';

export interface Access {
  readonly parts: Pick<ServerParts, 'guard' | 'tls'>;
  readonly close: () => Promise<void>;
}

export type AccessFlags = Pick<
  ServeFlags,
  | 'tlsCertFile'
  | 'tlsPrivateKeyFile'
  | 'clientCaFile'
  | 'auth'
  | 'authTokenAudiences'
  | 'authAllow'
  | 'authResource'
  | 'kubeconfig'
  | 'rateLimit'
  | 'rateBurst'
>;

/** @throws FLAGS_DO_NOT_FIT, TLS_FILES_INVALID, and what a kubeconfig that cannot be read throws */
export async function openAccess(flags: AccessFlags, log: Logger): Promise<Access> {
  checkFlags(flags);
  const { tlsCertFile, tlsPrivateKeyFile, clientCaFile, rateLimit } = flags;
  const tls =
    tlsCertFile === undefined || tlsPrivateKeyFile === undefined
      ? undefined
      : openTls(
          {
            certFile: tlsCertFile,
            keyFile: tlsPrivateKeyFile,
            ...(clientCaFile === undefined ? {} : { caFile: clientCaFile }),
          },
          systemClock,
          log,
        );
  if (flags.auth === 'token' && tls === undefined)
    log.warn('tokens are sent in plain text: serve TLS, or keep the network in front to yourself');
  const { authentication, close } = await authenticationOf(flags, log);
  const limiter =
    rateLimit === undefined
      ? undefined
      : createRateLimiter({ perSecond: rateLimit, burst: flags.rateBurst ?? 2 * rateLimit }, systemClock);
  const guard = createGuard({
    ...(authentication === undefined ? {} : { authentication }),
    ...(limiter === undefined ? {} : { limiter }),
  });
  return {
    parts: { ...(guard === undefined ? {} : { guard }), ...(tls === undefined ? {} : { tls }) },
    close,
  };
}

function checkFlags(flags: AccessFlags): void {
  const wants = (flag: string, why: string) =>
    new ForesailError('FLAGS_DO_NOT_FIT', 'terminal', `${flag} ${why}`, { subject: flag });
  if ((flags.tlsCertFile === undefined) !== (flags.tlsPrivateKeyFile === undefined))
    throw wants('--tls-cert-file', 'and --tls-private-key-file go together');
  if (flags.clientCaFile !== undefined && flags.auth !== 'mtls')
    throw wants('--client-ca-file', 'says who signs client certificates; --auth mtls asks for them');
  if (flags.auth === 'mtls' && (flags.clientCaFile === undefined || flags.tlsCertFile === undefined))
    throw wants('--auth mtls', 'needs --client-ca-file, --tls-cert-file and --tls-private-key-file');
  if (flags.auth === 'none' && flags.authAllow !== undefined)
    throw wants('--auth-allow', 'names callers that --auth none does not know');
  if (flags.auth !== 'token' && (flags.authResource !== undefined || flags.authTokenAudiences.length > 0))
    throw wants('--auth-resource and --auth-token-audiences', 'need --auth token');
  if (flags.authAllow !== undefined && flags.authResource !== undefined)
    throw wants('--auth-allow', 'and --auth-resource exclude each other: a list, or RBAC');
  if (flags.rateBurst !== undefined && flags.rateLimit === undefined)
    throw wants('--rate-burst', 'needs --rate-limit');
}

async function authenticationOf(
  flags: AccessFlags,
  log: Logger,
): Promise<{ authentication?: Authentication; close: () => Promise<void> }> {
  const allowed = flags.authAllow ?? [];
  if (flags.auth === 'none') return { close: async () => undefined };
  if (flags.auth === 'mtls')
    return { authentication: certificateAuthentication(allowed), close: async () => undefined };
  // Loaded when it is asked for: a server without tokens needs no client of the API server.
  const { KubeClient, loadConnection, Transport } = await import('../runtime/index.ts');
  const { kubeconfig, authTokenAudiences: audiences, authResource: resource } = flags;
  const connection = await loadConnection(kubeconfig === undefined ? {} : { kubeconfig });
  const transport = new Transport(connection, { clock: systemClock });
  const client = new KubeClient(transport, { clock: systemClock, userAgent: 'foresail-serve' });
  return {
    authentication: tokenAuthentication(
      client,
      { audiences, allowed, ...(resource === undefined ? {} : { resource }) },
      systemClock,
      log,
    ),
    close: () => transport.close(),
  };
}
