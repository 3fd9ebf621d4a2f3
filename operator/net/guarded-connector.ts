/**
 * Opens connections to what users name (metric servers, artifact stores), and only to addresses that are allowed.
 * Checked three times: an address in the URL before anything is sent, every address that DNS returns (each time, so
 * that a name which turns its answer round later is caught), and the peer of the socket once it stands.
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { ForesailError } from '../errors.ts';
import { type AddressClass, type Endpoint, refusedBecause } from './address.ts';

export interface AddressGuard {
  readonly allowed: ReadonlySet<AddressClass>;
  /** Where the Kubernetes API server listens (its Service and its endpoints). */
  readonly apiServers: () => readonly Endpoint[];
}

export type ResolveHost = (
  host: string,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export const resolveHost: ResolveHost = (host, callback) =>
  systemLookup(host, { all: true, order: 'verbatim' }, callback);

export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** The error of a room that has its own. */
export type MakeFault = (reason: 'NotAllowed' | 'Unreachable', message: string) => Error;

const addressFault: MakeFault = (reason, message) =>
  reason === 'NotAllowed'
    ? new ForesailError('ADDRESS_NOT_ALLOWED', 'terminal', message)
    : new ForesailError('ADDRESS_UNKNOWN', 'transient', message);

/** `port` is the server's: the API server is told apart from its neighbours on the same host by it. */
export function guardedConnector(
  guard: AddressGuard,
  port: number,
  tls: TlsOptions,
  connectTimeoutMs: number,
  resolve: ResolveHost = resolveHost,
  fault: MakeFault = addressFault,
): buildConnector.connector {
  const refusal = (address: string): Error | undefined => {
    const why = refusedBecause({ address, port }, guard.allowed, guard.apiServers());
    if (why === undefined) return undefined;
    return fault('NotAllowed', `the server's address ${address} is refused: it is ${why}`);
  };

  const lookup: LookupFunction = (host, options, callback) => {
    resolve(host, (error, addresses) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const open = addresses.filter(({ address }) => refusal(address) === undefined);
      const [first] = open;
      if (first === undefined) {
        const refused = addresses[0] && refusal(addresses[0].address);
        callback(refused ?? fault('Unreachable', 'the name of the server has no address'), []);
      } else if (options.all === true) callback(null, open);
      else callback(null, first.address, first.family);
    });
  };

  const connect = buildConnector({
    ...tls,
    timeout: connectTimeoutMs,
    allowH2: false,
    lookup,
  });

  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    const early = isIP(host) === 0 ? undefined : refusal(host);
    if (early !== undefined) {
      callback(early, null);
      return;
    }
    connect(options, (...result) => {
      const [error, socket] = result;
      if (error !== null) {
        callback(error, null);
        return;
      }
      const late = peerFault(socket.remoteAddress, refusal, fault);
      if (late === undefined) {
        callback(null, socket);
        return;
      }
      socket.destroy();
      callback(late, null);
    });
  };
}

/** A peer that has reset the connection already has no address any more, which says nothing against it. */
export function peerFault(
  address: string | undefined,
  refusal: (address: string) => Error | undefined,
  fault: MakeFault = addressFault,
): Error | undefined {
  if (address !== undefined) return refusal(address);
  return fault('Unreachable', 'the connection was lost before anything was sent');
}
