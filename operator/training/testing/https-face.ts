/**
 * The operator's own HTTPS face with the third attempt of one run in it, for clients in both languages. As a program
 * (`node https-face.ts FOLDER`) it prints the attempt's address and serves until its input ends.
 */
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../../clock.ts';
import { MemoryHistory } from '../../history/memory-store.ts';
import { silentLogger } from '../../logger.ts';
import { selfSigned } from '../../metricsources/testing/certificate.ts';
import { createAuthorizer } from '../../observability/authorizer.ts';
import { createHttp } from '../../observability/http.ts';
import { createMetrics } from '../../observability/metrics.ts';
import { createDataExport } from '../data-export.ts';
import { createRunReports } from '../reports.ts';
import { trainingRoutes } from '../routes.ts';
import { newToken } from '../tokens.ts';
import type { RunReports, Stage } from '../types.ts';

const MINUTE = 60_000;
const KEY = 'shop/web/rps';
const RUN = { namespace: 'shop', name: 'loadcast', uid: 'uid-1', attempt: 3 };

export interface HttpsFace extends AsyncDisposable {
  /** Base of the attempt. */
  readonly url: string;
  readonly reports: RunReports;
  readonly run: typeof RUN;
}

/** Leaves `ca.crt`, `other.crt` of an authority that it does not know, and `token` in `folder`. */
export async function startHttpsFace(folder: string, stage: Stage): Promise<HttpsFace> {
  const [own, other] = [selfSigned(), selfSigned()];
  const { token, sha256 } = newToken();
  const tls = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  await Promise.all([
    writeFile(tls.certFile, own.cert),
    writeFile(tls.keyFile, own.key),
    writeFile(join(folder, 'ca.crt'), own.cert),
    writeFile(join(folder, 'other.crt'), other.cert),
    writeFile(join(folder, 'token'), `${token}\n`),
  ]);
  const clock = systemClock;
  const history = new MemoryHistory({ now: () => clock.now() });
  history.declare(KEY, { stepMs: MINUTE });
  for (let i = 120; i > 0; i -= 1) history.append(KEY, clock.now() - i * MINUTE, i);
  const reports = createRunReports({ clock, log: silentLogger });
  const data = { selector: {}, allNamespaces: false, windowMs: 120 * MINUTE };
  const scaler = { namespace: RUN.namespace, name: 'web', labels: {}, series: [{ key: KEY, metric: 'rps' }] };
  const reviews = {
    reviewToken: () => Promise.reject(new Error('not asked')),
    reviewAccess: () => Promise.resolve(false),
  };
  const more = trainingRoutes({
    answering: () => true,
    attemptOf: (namespace, name, attempt) =>
      namespace === RUN.namespace && name === RUN.name && attempt === RUN.attempt
        ? { uid: RUN.uid, tokenSha256: sha256, stage, live: true, data }
        : undefined,
    reports,
    data: createDataExport({
      history,
      scalers: () => [scaler],
      operatorNamespace: 'foresail',
      now: () => clock.now(),
      maxSeries: 10,
      maxPoints: 1_000,
    }),
    maxPoints: 1_000,
    clock,
    log: silentLogger,
  });
  const server = createHttp(
    {
      registry: createMetrics().registry,
      authorizer: createAuthorizer(reviews, clock),
      unhealthy: () => undefined,
      notReady: () => undefined,
      more,
      log: silentLogger,
      clock,
    },
    tls,
  );
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const { namespace, name, attempt } = RUN;
  return {
    url: `https://127.0.0.1:${port}/training/v1/namespaces/${namespace}/trainingjobs/${name}/attempts/${attempt}`,
    reports,
    run: RUN,
    [Symbol.asyncDispose]: () => server.close(),
  };
}

if (import.meta.main) {
  const face = await startHttpsFace(process.argv[2] ?? '.', 'train');
  process.stdout.write(`${face.url}\n`);
  process.stdin.resume().once('end', () => void face[Symbol.asyncDispose]());
}
