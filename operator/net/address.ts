/**
 * Which addresses the operator connects to. It stands inside the cluster's network and holds credentials, so a name
 * that resolves to the cloud's metadata service, to the node itself or to the API server is refused unless the
 * admin's list says otherwise. What counts is the address that is connected, not the name.
 */
import { BlockList, isIP } from 'node:net';

export const addressClasses = ['loopback', 'linkLocal', 'metadata', 'apiServer'] as const;
export type AddressClass = (typeof addressClasses)[number];

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

// "This network" connects to the host itself on Linux, so it counts as loopback.
const loopback = blockList(['127.0.0.0/8', '0.0.0.0/8', '::1', '::']);
const linkLocal = blockList(['169.254.0.0/16', 'fe80::/10']);
// The clouds' instance metadata and credential services; most are link-local, these are not or need both words.
const metadata = blockList([
  '169.254.169.254',
  '169.254.170.0/24',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::/32',
  'fd20:ce::254',
]);
const neverUnicast = blockList(['224.0.0.0/4', '240.0.0.0/4', 'ff00::/8']);

/** Undoes what hides an IPv4 address in an IPv6 one: zone, IPv4-mapped and -compatible, NAT64, 6to4. */
export function plainAddress(address: string): string {
  const text = address.split('%')[0] ?? '';
  if (isIP(text) !== 6) return text;
  const groups = expand(text);
  const v4 = (high: number, low: number) =>
    [groups[high], groups[low]].flatMap((group = 0) => [group >> 8, group & 255]).join('.');
  const zeros = (from: number, to: number) => groups.slice(from, to).every((group) => group === 0);
  if (zeros(0, 5) && groups[5] === 0xffff) return v4(6, 7);
  if (zeros(0, 6) && ((groups[6] ?? 0) !== 0 || (groups[7] ?? 0) > 1)) return v4(6, 7);
  if (groups[0] === 0x64 && groups[1] === 0xff9b && zeros(2, 6)) return v4(6, 7);
  if (groups[0] === 0x2002) return v4(1, 2);
  return groups.map((group) => group.toString(16)).join(':');
}

function expand(address: string): number[] {
  const dotted = address.includes('.') ? address.slice(address.lastIndexOf(':') + 1) : undefined;
  const bytes = dotted?.split('.').map(Number) ?? [];
  const hex = (high = 0, low = 0) => ((high << 8) | low).toString(16);
  const text =
    dotted === undefined
      ? address
      : `${address.slice(0, -dotted.length)}${hex(bytes[0], bytes[1])}:${hex(bytes[2], bytes[3])}`;
  const [head = '', tail] = text.split('::');
  const words = (part: string) =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  const left = words(head);
  const right = tail === undefined ? [] : words(tail);
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}

/** A word for why the address is refused, or undefined when it may be connected. */
export function refusedBecause(
  endpoint: Endpoint,
  allowed: ReadonlySet<AddressClass>,
  apiServers: readonly Endpoint[],
): string | undefined {
  const address = plainAddress(endpoint.address);
  const family = isIP(address);
  if (family === 0) return 'not an IP address';
  const inside = (list: BlockList) => list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  if (inside(neverUnicast)) return 'not a unicast address';
  if (inside(metadata)) return allowed.has('metadata') ? undefined : 'the cloud metadata service';
  const isApiServer = apiServers.some(
    (server) => server.port === endpoint.port && plainAddress(server.address) === address,
  );
  if (isApiServer && !allowed.has('apiServer')) return 'the Kubernetes API server';
  if (inside(loopback) && !allowed.has('loopback')) return 'a loopback address';
  if (inside(linkLocal) && !allowed.has('linkLocal')) return 'a link-local address';
  return undefined;
}
