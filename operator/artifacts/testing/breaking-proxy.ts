/** A wire between client and store that is cut once, in the middle of an answer. Knows nothing of what it carries. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface BreakingProxy extends AsyncDisposable {
  /** Scheme of `origin`, another port. */
  readonly origin: string;
  /** How many there were. */
  connections(): number;
}

/** @param afterBytes of the first connection's answer */
export async function breakingProxy(origin: string, afterBytes: number): Promise<BreakingProxy> {
  const { protocol, hostname, port } = new URL(origin);
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    const breaks = connections === 0;
    connections += 1;
    const store = connect(Number(port), hostname);
    let passed = 0;
    for (const [from, to] of [
      [client, store],
      [store, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
    store.on('data', (piece: Buffer) => {
      passed += piece.length;
      if (breaks && passed > afterBytes) client.resetAndDestroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `${protocol}//127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
