/**
 * The web app of the stories: every request costs a fixed amount of CPU, so that a replica with a CPU limit saturates
 * at a rate that one can work out. It stands alone: only this file and Node are in its image.
 */
import { pbkdf2Sync } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Rounds of hashing per request; 10,000 are a few milliseconds. */
const work = Number(process.env['WORK'] ?? 10_000);
/** A slow start, as applications have that load much before they serve. */
const startupSeconds = Number(process.env['STARTUP_SECONDS'] ?? 0);

let requests = 0;
const server = createServer((request, response) => {
  if (request.url === '/ready') {
    response.end('ready\n');
    return;
  }
  if (request.url === '/metrics') {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`# TYPE http_requests_total counter\nhttp_requests_total ${requests}\n`);
    return;
  }
  requests += 1;
  response.end(`${pbkdf2Sync('load', 'salt', work, 32, 'sha256').toString('hex')}\n`);
});

process.on('SIGTERM', () => {
  // Proxies learn of the end a moment later than we do.
  setTimeout(() => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  }, 1_000);
});

await sleep(startupSeconds * 1_000);
server.listen(8080, '0.0.0.0');
