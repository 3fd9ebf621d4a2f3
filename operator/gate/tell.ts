/**
 * How a gate's pod tells the operator of its end: by HTTP, quickly, and in the container's last words, durably. The
 * operator takes whichever comes.
 */
import { readFile } from 'node:fs/promises';
import { Agent, type Dispatcher, request } from 'undici';
import type { Clock } from '../clock.ts';
import { ForesailError, isForesailError, messageOf } from '../errors.ts';
import { backoffDelay, retryAfterDelay } from '../kube/backoff.ts';
import type { ErrorReport, GateReport } from '../training/types.ts';

export interface Control {
  /** Base of the attempt. */
  readonly url: string;
  readonly tokenFile: string;
  /** Authorities of an operator that speaks HTTPS; absent: those of the system. */
  readonly caFile?: string | undefined;
}

/** A new leader needs a while; longer than this the pod's last words have to do. */
const PATIENCE_MS = 600_000;
const BACKOFF = { baseMs: 1000, maxMs: 15_000, jitter: 0.5 };
const REQUEST_MS = 15_000;
/** Kubernetes keeps 4 KiB. */
const MOST_LAST_WORDS = 4096;
const MOST_MESSAGE = 1024;

/** The operator takes this attempt for over. */
export const ATTEMPT_OVER = 'ATTEMPT_OVER';

/** @throws CONTROL_MISSING */
export function controlOf(env: Readonly<Record<string, string | undefined>>): Control {
  const {
    FORESAIL_CONTROL_URL: url,
    FORESAIL_TOKEN_FILE: tokenFile = '/var/run/foresail/token',
    FORESAIL_CA_FILE: caFile,
  } = env;
  if (url !== undefined && URL.canParse(url)) return { url: url.replace(/\/+$/, ''), tokenFile, caFile };
  throw new ForesailError('CONTROL_MISSING', 'terminal', '--post needs FORESAIL_CONTROL_URL', {
    subject: 'FORESAIL_CONTROL_URL',
  });
}

/**
 * @throws ATTEMPT_OVER (409); CONTROL_REFUSED for another answer that trying again does not change; CONTROL_UNREACHABLE
 *   after ten minutes
 */
export async function postReport(
  { url, tokenFile, caFile }: Control,
  kind: 'gate' | 'error',
  report: GateReport | ErrorReport,
  { clock, random }: { readonly clock: Clock; readonly random: () => number },
  signal: AbortSignal,
): Promise<void> {
  const until = clock.monotonic() + PATIENCE_MS;
  await using agent = caFile === undefined ? undefined : await agentOf(caFile);
  for (let attempt = 0; ; attempt++) {
    try {
      // Read anew each time: it is kept nowhere.
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const token = (await readFile(tokenFile, 'utf8')).trim();
      // oxlint-disable-next-line no-await-in-loop -- as above
      await postOnce(`${url}/${kind}`, token, JSON.stringify(report), agent?.dispatcher, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      const fault = isForesailError(error)
        ? error
        : new ForesailError('CONTROL_UNREACHABLE', 'transient', `${url}: ${messageOf(error)}`, {
            cause: error,
          });
      if (fault.retry !== 'transient') throw fault;
      const asked = fault.retryAfterMs;
      const wait =
        asked === undefined ? backoffDelay(BACKOFF, attempt, random) : retryAfterDelay(asked, random);
      if (clock.monotonic() + wait > until) throw fault;
      // oxlint-disable-next-line no-await-in-loop -- as above
      await clock.sleep(wait, signal);
    }
  }
}

/** @throws CONTROL_MISSING when the file cannot be read */
async function agentOf(caFile: string): Promise<AsyncDisposable & { readonly dispatcher: Dispatcher }> {
  const ca = await readFile(caFile, 'utf8').catch((cause: unknown) => {
    const message = `FORESAIL_CA_FILE: ${messageOf(cause)}`;
    throw new ForesailError('CONTROL_MISSING', 'terminal', message, { subject: 'FORESAIL_CA_FILE', cause });
  });
  const dispatcher = new Agent({ connect: { ca } });
  return { dispatcher, [Symbol.asyncDispose]: () => dispatcher.close() };
}

async function postOnce(
  url: string,
  token: string,
  body: string,
  dispatcher: Dispatcher | undefined,
  signal: AbortSignal,
): Promise<void> {
  const answer = await request(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
    ...(dispatcher === undefined ? {} : { dispatcher }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]),
  });
  const text = (await answer.body.text().catch(() => '')).slice(0, 200);
  const { statusCode } = answer;
  if (statusCode < 300) return;
  const why = `${url} answers ${statusCode} ${text}`.trim();
  if (statusCode === 409) throw new ForesailError(ATTEMPT_OVER, 'terminal', why);
  const transient = statusCode >= 500 || statusCode === 429 || statusCode === 408;
  const seconds = Number(answer.headers['retry-after'] ?? Number.NaN);
  throw new ForesailError(
    transient ? 'CONTROL_UNREACHABLE' : 'CONTROL_REFUSED',
    transient ? 'transient' : 'terminal',
    why,
    seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {},
  );
}

/** `{"gate": …}` or `{"error": …}`, never longer than Kubernetes keeps: cut JSON would say nothing at all. */
export function lastWords(kind: 'gate' | 'error', report: GateReport | ErrorReport): string {
  const whole = JSON.stringify({ [kind]: report });
  if (Buffer.byteLength(whole) <= MOST_LAST_WORDS) return whole;
  const short =
    'scores' in report ? { ...report, scores: {} } : { ...report, message: report.message.slice(0, 200) };
  return JSON.stringify({ [kind]: short });
}

export function errorReport(error: unknown): ErrorReport {
  const code = isForesailError(error) ? error.code : 'ERROR';
  return { code, message: messageOf(error).slice(0, MOST_MESSAGE) };
}
