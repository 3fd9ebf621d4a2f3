/**
 * How many TCP connections a process opens to a server while it works, from the kernel's table of sockets, read four
 * times a second. One that is closed belongs to nobody any more but stays in the table for a minute: those are counted
 * too, whoever's they were, so that the count is never too small.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 250;

/** The inodes of a process' sockets. */
async function socketsOf(pid: number): Promise<ReadonlySet<string>> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')),
  );
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

export interface Socket {
  readonly local: string;
  readonly remote: string;
  /** `0` when no process holds it any more. */
  readonly inode: string;
}

/** Rows of /proc/net/tcp whose one end is the port; the other end identifies the connection. */
export function clientsIn(table: string, serverPort: number): Map<string, Socket> {
  const port = `:${serverPort.toString(16).toUpperCase().padStart(4, '0')}`;
  const clients = new Map<string, Socket>();
  for (const row of table.split('\n').slice(1)) {
    const [, local = '', remote = '', , , , , , , inode = ''] = row.trim().split(/\s+/);
    if (remote.endsWith(port)) clients.set(local, { local, remote, inode });
    // The server's end of one that the server closed.
    else if (local.endsWith(port) && inode === '0') clients.set(remote, { local, remote, inode });
  }
  return clients;
}

async function look(pid: number, serverPort: number): Promise<{ own: string[]; orphaned: string[] }> {
  const sockets = await socketsOf(pid);
  const clients = clientsIn(await readFile('/proc/net/tcp', 'utf8'), serverPort);
  const [own, orphaned]: [string[], string[]] = [[], []];
  for (const [client, { inode }] of clients)
    if (sockets.has(inode)) own.push(client);
    else if (inode === '0') orphaned.push(client);
  return { own, orphaned };
}

export interface Connections {
  /** When counting began. */
  readonly open: number;
  /** New ones since then. */
  readonly opened: number;
}

/** Starts to count; the returned function ends it. */
export async function countConnections(pid: number, serverUrl: string): Promise<() => Promise<Connections>> {
  const port = Number(new URL(serverUrl).port);
  const first = await look(pid, port);
  const before = new Set([...first.own, ...first.orphaned]);
  const opened = new Set<string>();
  const ended = new AbortController();
  const looking = (async () => {
    while (!ended.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- a poll
      const { own, orphaned } = await look(pid, port);
      for (const client of [...own, ...orphaned]) if (!before.has(client)) opened.add(client);
      // oxlint-disable-next-line no-await-in-loop
      await sleep(LOOK_EVERY_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  })();
  return async () => {
    ended.abort();
    await looking;
    return { open: first.own.length, opened: opened.size };
  };
}
