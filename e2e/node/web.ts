/**
 * The web app of the stories: every request costs a fixed amount of CPU, so that a replica with a CPU limit saturates
 * at a rate that one can work out. It stands alone: only this file and Node are in its image.
 */
import { pbkdf2Sync } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds of CPU per request, on a slow machine as on a fast one. */
const cpuMs = Number(process.env['CPU_MS'] ?? 5);
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
  burn(cpuMs * 1_000);
  response.end('done\n');
});

/** Time in which the kernel lets others run, or throttles us, does not count. */
function burn(microseconds: number): void {
  const before = process.cpuUsage();
  const used = () => {
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  while (used() < microseconds) pbkdf2Sync('load', 'salt', 200, 32, 'sha256');
}

process.on('SIGTERM', () => {
  // Proxies learn of the end a moment later than we do.
  setTimeout(() => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  }, 1_000);
});

await sleep(startupSeconds * 1_000);
server.listen(8080, '0.0.0.0');
