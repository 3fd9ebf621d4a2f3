/**
 * Who calls, and whether they may: by a token that the Kubernetes API server knows, or by a certificate that one of
 * the given authorities signed. What a caller needs is asked of RBAC, as kube-rbac-proxy does, or is a fixed list of names.
 */
import type { PeerCertificate } from 'node:tls';
import type { Clock } from '../../clock.ts';
import { ForesailError, messageOf } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { type AccessRequest, createAccessReviewer } from '../../observability/authorizer.ts';
import { createTokenReviewer } from '../../observability/token-review.ts';
import type { Reader } from '../../runtime/types.ts';

/** What a connection and a call bring with them. */
export interface Credentials {
  readonly address: string;
  readonly authorization: string | undefined;
  /** The certificate of the other side, when an authority of ours signed it. */
  readonly certificate: () => PeerCertificate | undefined;
}

/** What is to be done, in the words of Kubernetes' non-resource rules. */
export interface Asked {
  readonly path: string;
  readonly verb: 'get' | 'post';
  /** Changes what is served. */
  readonly control: boolean;
}

export interface Caller {
  readonly name: string;
  /** Everything that a list of allowed names may name: a user's groups, a certificate's alternative names. */
  readonly alsoKnownAs: readonly string[];
}

export interface Authentication {
  /** For `www-authenticate`, where the caller can do something about it in HTTP. */
  readonly challenge?: string;
  /** @throws UNAUTHENTICATED, AUTH_UNAVAILABLE */
  identify(credentials: Credentials, signal: AbortSignal): Promise<Caller>;
  /** @throws FORBIDDEN, AUTH_UNAVAILABLE */
  authorize(caller: Caller, asked: Asked): Promise<void>;
}

/** An object of the cluster: who may `get` it may infer, who may `update` it may load and unload. */
export interface AuthResource {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

export interface TokenOptions {
  /** The token has to be meant for one of these; empty: for the API server. */
  readonly audiences: readonly string[];
  /** Users and groups; empty: RBAC decides. */
  readonly allowed: readonly string[];
  /** Absent: RBAC is asked for the call's path and verb. */
  readonly resource?: AuthResource;
}

export function tokenAuthentication(
  reader: Pick<Reader, 'reviewToken' | 'reviewAccess'>,
  { audiences, allowed, resource }: TokenOptions,
  clock: Clock,
  log: Logger,
): Authentication {
  const tokens = createTokenReviewer(reader, clock, audiences);
  const review = createAccessReviewer(reader, clock);
  const asked = reachable(clock, log);
  return {
    challenge: 'Bearer',
    async identify({ authorization }, signal) {
      const user = await asked(tokens.identify(authorization, signal));
      if (user === undefined) throw unauthenticated('a valid bearer token is needed');
      return { name: user.username, alsoKnownAs: user.groups };
    },
    async authorize(caller, call) {
      if (allowed.length > 0) return onList(caller, allowed);
      const user = { username: caller.name, groups: caller.alsoKnownAs };
      const request = accessRequest(call, resource);
      if (await asked(review(user, request))) return;
      const { verb, path } = request.nonResourceAttributes ?? {
        ...request.resourceAttributes,
        path: 'object',
      };
      throw forbidden(
        `RBAC does not let this user ${verb} ${path === 'object' ? shownResource(resource) : path}`,
      );
    },
  };
}

/** @param allowed common names, DNS names and URIs; empty: everybody whom an authority of ours signed */
export function certificateAuthentication(allowed: readonly string[]): Authentication {
  return {
    async identify({ certificate }) {
      const peer = certificate();
      if (peer === undefined) throw unauthenticated('a client certificate of a known authority is needed');
      const [name, ...others] = namesOf(peer);
      return { name: name ?? peer.fingerprint256, alsoKnownAs: others };
    },
    async authorize(caller) {
      if (allowed.length > 0) onList(caller, allowed);
    },
  };
}

/** Common name, then the DNS names and URIs (a SPIFFE identity is one). */
export function namesOf({ subject, subjectaltname = '' }: PeerCertificate): readonly string[] {
  const { CN: common } = subject ?? {};
  const alternatives = alternativeNames(subjectaltname).flatMap(([kind, name]) =>
    kind === 'DNS' || kind === 'URI' ? [name] : [],
  );
  return [...[common ?? []].flat(), ...alternatives];
}

/**
 * `DNS:a, URI:"b, c"`: a name with a comma or a quote in it comes as a JSON text, so that no name can hold a second one.
 */
function alternativeNames(text: string): [kind: string, name: string][] {
  return [...text.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/g)].map(
    ([, kind = '', name = '']) => [kind, name.startsWith('"') ? String(JSON.parse(name)) : name],
  );
}

function onList({ name, alsoKnownAs }: Caller, allowed: readonly string[]): void {
  if (![name, ...alsoKnownAs].some((one) => allowed.includes(one)))
    throw forbidden('this caller is not among those that are allowed');
}

function accessRequest({ path, verb, control }: Asked, resource: AuthResource | undefined): AccessRequest {
  if (resource === undefined || path === '/metrics') return { nonResourceAttributes: { path, verb } };
  return { resourceAttributes: { ...resource, verb: control ? 'update' : 'get' } };
}

function shownResource(resource: AuthResource | undefined): string {
  return resource === undefined ? '' : `${resource.resource} ${resource.namespace}/${resource.name}`;
}

/** A line for each call would bury what else went wrong. */
const WARN_EVERY_MS = 10_000;

/** Refuses, rather than guesses, while the API server cannot be asked. */
function reachable(clock: Clock, log: Logger): <T>(answer: Promise<T>) => Promise<T> {
  let warnedAt = Number.NEGATIVE_INFINITY;
  return async (answer) => {
    try {
      return await answer;
    } catch (cause) {
      const now = clock.monotonic();
      if (now - warnedAt >= WARN_EVERY_MS) {
        warnedAt = now;
        log.warn('callers cannot be checked', { error: messageOf(cause) });
      }
      const message = 'the API server cannot be asked about this caller';
      throw new ForesailError('AUTH_UNAVAILABLE', 'transient', message, { cause, retryAfterMs: 1_000 });
    }
  };
}

function unauthenticated(message: string): ForesailError {
  return new ForesailError('UNAUTHENTICATED', 'terminal', message);
}

function forbidden(message: string): ForesailError {
  return new ForesailError('FORBIDDEN', 'terminal', message);
}
