import { expect, test } from '@jest/globals';
import { clientsIn } from './connections.ts';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const row = (local: string, remote: string, inode: number) =>
  `   0: ${local} ${remote} 01 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000 20 4 30 10 -1`;

test("finds each client once: by its own end, or by the server's when only that is left", () => {
  const table = [
    HEAD,
    row('0100007F:1F90', '00000000:0000', 5), // listens
    row('0100007F:1F90', '0100007F:C001', 6), // the server's end of the next
    row('0100007F:C001', '0100007F:1F90', 7),
    row('0100007F:1F90', '0100007F:C002', 0), // closed by the server
    row('0100007F:C003', '0100007F:1F90', 0), // closed by the client
    row('0100007F:C004', '0100007F:0016', 8), // to another port
    '',
  ].join('\n');
  const clients = clientsIn(table, 8080);
  expect([...clients].map(([client, { inode }]) => [client, inode])).toEqual([
    ['0100007F:C001', '7'],
    ['0100007F:C002', '0'],
    ['0100007F:C003', '0'],
  ]);
});
