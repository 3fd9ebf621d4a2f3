/**
 * `node store-server.ts FOLDER CERT KEY ADDRESS PORT`: the files of a folder over HTTPS, read anew at every request. A
 * program of its own, to be run inside the node's network. It ends with its stdin.
 */
import { createReadStream, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:https';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const [folder = '', cert = '', key = '', address = '', port = ''] = process.argv.slice(2);

const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
  const file = join(folder, basename(request.url ?? ''));
  const send = async (): Promise<void> => {
    const { size } = await stat(file);
    response.writeHead(200, { 'content-length': size });
    await pipeline(createReadStream(file), response);
  };
  send().catch(() => {
    if (response.headersSent) response.destroy();
    else response.writeHead(404).end();
  });
});
server.listen(Number(port), address, () => process.stdout.write('listening\n'));
process.stdin.resume().on('end', () => process.exit(0));
