/**
 * Sends requests at a rate, whether or not they are answered in time, as users do. A program of its own, to be run
 * inside the node's network:
 *
 *   node load.ts URL SECONDS [BODY]   each line of stdin is a new rate per second; stdout: one JSON line a second
 *
 * Every HTTP request has a connection of its own, so that a Service spreads them; for grpc:// see load-grpc.ts. It ends by itself after SECONDS, when stdin
 * ends, or after a million requests.
 */
import { request as requestOf } from 'node:http';
import { createInterface } from 'node:readline';
import { grpcSender } from './load-grpc.ts';

/** What happened in one second. */
export interface LoadSecond {
  readonly rate: number;
  readonly sent: number;
  readonly ok: number;
  /** Refused, reset, timed out or answered with an error. */
  readonly failed: number;
  readonly inFlight: number;
  /** Milliseconds, of the answers of this second; null without any. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** Of failures, by what they were. */
  readonly errors: Readonly<Record<string, number>>;
  /** Of answers, by the version that the router named, or the model itself where there is no router. */
  readonly versions: Readonly<Record<string, number>>;
}

const TICK_MS = 10;
const MOST = 1_000_000;
const TIMEOUT_MS = 10_000;
const IN_BODY = /"model_version":"(\d+)"/;

/** With a body (JSON) it is a POST. */
const [url = '', seconds = '', body] = process.argv.slice(2);
const end = performance.now() + Math.min(Number(seconds), 3_600) * 1_000;

let rate = 0;
let owed = 0;
let total = 0;
let inFlight = 0;
let sent = 0;
let failed = 0;
let latencies: number[] = [];
let errors: Record<string, number> = {};
let versions: Record<string, number> = {};

const OPTIONS = {
  agent: false,
  timeout: TIMEOUT_MS,
  ...(body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' } }),
};

const ask = url.startsWith('grpc:')
  ? grpcSender(url, JSON.parse(body ?? '{}') as object, TIMEOUT_MS)
  : askHttp;

function send(): void {
  const begun = performance.now();
  let over = false;
  const finish = (error?: string, version?: string): void => {
    if (over) return;
    over = true;
    inFlight -= 1;
    if (version !== undefined) versions[version] = (versions[version] ?? 0) + 1;
    if (error === undefined) latencies.push(performance.now() - begun);
    else {
      failed += 1;
      errors[error] = (errors[error] ?? 0) + 1;
    }
  };
  sent += 1;
  total += 1;
  inFlight += 1;
  ask(finish);
}

function askHttp(finish: (error?: string, version?: string) => void): void {
  const request = requestOf(url, OPTIONS, (response) => {
    const { statusCode, headers } = response;
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('end', () => {
      const version = headers['foresail-model-version'] ?? IN_BODY.exec(text)?.[1];
      finish(
        statusCode === 200 ? undefined : String(statusCode),
        typeof version === 'string' ? version : undefined,
      );
    });
    response.on('error', (error) => finish((error as NodeJS.ErrnoException).code ?? error.message));
  });
  request.on('timeout', () => request.destroy(Object.assign(new Error('timeout'), { code: 'timeout' })));
  request.on('error', (error) => finish((error as NodeJS.ErrnoException).code ?? error.message));
  request.end(body);
}

function report(): void {
  const sorted = latencies.sort((a, b) => a - b);
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? null;
  const second: LoadSecond = {
    rate,
    sent,
    ok: sorted.length,
    failed,
    inFlight,
    p50: quantile(0.5),
    p99: quantile(0.99),
    errors,
    versions,
  };
  process.stdout.write(`${JSON.stringify(second)}\n`);
  sent = 0;
  failed = 0;
  latencies = [];
  errors = {};
  versions = {};
}

let last = performance.now();
setInterval(() => {
  const now = performance.now();
  owed += ((now - last) / 1_000) * rate;
  last = now;
  for (; owed >= 1; owed -= 1) send();
  if (now > end || total > MOST) process.exit(0);
}, TICK_MS);
setInterval(report, 1_000);
const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  rate = Number(line);
});
input.on('close', () => process.exit(0));
