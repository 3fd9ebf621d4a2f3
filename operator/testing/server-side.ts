/** What the API server itself has seen: its audit log and its sockets, so that no test takes the client's word. */
import { open, readFile } from 'node:fs/promises';

/** audit.k8s.io/v1 Event, as far as tests read it. */
export interface AuditEntry {
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly stage: 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  readonly responseStatus?: {
    readonly code?: number;
    readonly details?: { readonly causes?: readonly { readonly reason?: string }[] };
  };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
}

const MUTATING = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

export const isWrite = (entry: Pick<AuditEntry, 'verb'>): boolean => MUTATING.has(entry.verb);
export const code = (entry: AuditEntry): number => entry.responseStatus?.code ?? 0;
/** Milliseconds since the epoch when the request came in, with microseconds behind the point. */
export function receivedAt(entry: AuditEntry): number {
  const micros = /\.\d{3}(\d{3})/.exec(entry.requestReceivedTimestamp)?.[1] ?? '0';
  return Date.parse(entry.requestReceivedTimestamp) + Number(micros) / 1000;
}

/** Reads the entries that are added to an audit log from now on. */
export async function tailAuditLog(path: string): Promise<{ read(): Promise<AuditEntry[]> }> {
  let offset = await sizeOf(path);
  const entries: AuditEntry[] = [];
  return {
    async read() {
      const file = await open(path, 'r');
      try {
        const { size } = await file.stat();
        const bytes = Buffer.alloc(size - offset);
        await file.read(bytes, 0, bytes.length, offset);
        const whole = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
        offset += whole.length;
        for (const line of whole.toString('utf8').split('\n'))
          if (line !== '') entries.push(JSON.parse(line) as AuditEntry);
      } finally {
        await file.close();
      }
      return entries.filter(({ stage }) => stage === 'ResponseComplete');
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** The peers (their ports) of established connections to a local server, from the server's end of them. */
export async function peersOf(serverUrl: string): Promise<ReadonlySet<number>> {
  const port = Number(new URL(serverUrl).port).toString(16).toUpperCase().padStart(4, '0');
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'utf8')));
  const peers = new Set<number>();
  for (const row of tables.flatMap((table) => table.split('\n').slice(1))) {
    const [, local, remote, state] = row.trim().split(/\s+/);
    if (local?.endsWith(`:${port}`) && state === '01') peers.add(Number.parseInt(remote!.split(':')[1]!, 16));
  }
  return peers;
}
