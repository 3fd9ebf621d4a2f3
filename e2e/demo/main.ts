/**
 * `make demo`: the same recorded traffic, on a real API server, for a Deployment that is scaled by forecast and for
 * its twin that is scaled by the real HorizontalPodAutoscaler. Prints what came of it, whoever wins.
 *
 * WINDOW=1995-08-25T09:00Z another window of the trace · COVERAGE=0.99 another coverage · MODEL=FILE.onnx another model
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { renderPng } from '../../operator/cli/report/draw/png.ts';
import { elasticityOf, type Tick } from '../../operator/simulate/elasticity.ts';
import { request } from '../api.ts';
import { kubectl } from '../kubectl.ts';
import { drawSvg, type ForecastPoint, WIDTH, wrapHtml } from './chart.ts';
import {
  BEHAVIOR,
  COVERAGE,
  capacityOf,
  FACTOR,
  NAMESPACE,
  START_UP_MS,
  SYNC_PERIOD,
  TARGET_SHARE,
  WARM_UP_MINUTES,
  WINDOW_MINUTES,
} from './settings.ts';
import { HPA, OURS, type Stage, setStage } from './stage.ts';
import { resultTable } from './table.ts';
import { chooseWindow, loadAt, MINUTE_MS, readTrace, type Trace, type Window } from './trace.ts';
import { createView } from './view.ts';

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: String(WINDOW_MINUTES) },
    out: { type: 'string', default: 'out/demo' },
  },
});
const TICK_MS = 250;

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => stop.abort(new Error(`ended by ${name}`)));
try {
  await main(stop.signal);
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(signal: AbortSignal): Promise<void> {
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const trace = readTrace();
  const window = chooseWindow(trace, Number(flags.minutes), process.env['WINDOW']);
  const capacity = capacityOf(trace.values, (window.fromMs - trace.startMs) / MINUTE_MS);
  say(introduction(window, capacity));
  const modelFile = process.env['MODEL'];
  const stage = await setStage(
    { trace, window, capacity, say, ...(modelFile === undefined ? {} : { modelFile }) },
    signal,
  );
  try {
    say(
      `replaying ${WARM_UP_MINUTES} minutes of load to settle, then ${flags.minutes} minutes that count…\n`,
    );
    const seen = await Promise.race([watch(stage, trace, window, capacity, signal), endOf(stage)]);
    const [ours, hpa] = [elasticityOf(seen.ours, capacity), elasticityOf(seen.hpa, capacity)];
    say(`\n${resultTable(ours, hpa)}\n`);
    say(seen.byForecast === undefined ? 'no decision was bound by the forecast' : seen.byForecast);
    await writeCharts(seen, window, capacity, resultTable(ours, hpa), say);
    say(`\n$ kubectl get predictivescalers -n ${NAMESPACE}`);
    say(await kubectl(stage.cluster, ['get', 'predictivescalers', '-n', NAMESPACE]));
  } finally {
    await stage.close();
  }
}

/** @throws with its last words when the operator ends before the window does */
async function endOf({ operator }: Stage): Promise<never> {
  const code = await operator.exited;
  const words = operator
    .logs()
    .slice(-5)
    .map((line) => JSON.stringify(line));
  throw new Error([`the operator ended with ${code}; its last lines:`, ...words].join('\n'));
}

function introduction(window: Window, capacity: number): string {
  return [
    'Foresail demo: the same traffic for a Deployment scaled by forecast and for its twin scaled by the real HPA.',
    `  load      HTTP requests per minute to NASA's web server, August 1995, ${FACTOR} times as fast as recorded`,
    `  window    ${iso(window.fromMs)} to ${iso(window.toMs)}: ${window.rule}`,
    `  replica   carries ${capacity.toFixed(2)} requests/min (95th percentile of the history / 20), target ${TARGET_SHARE * 100} % of it, ready ${START_UP_MS / 1000} s of load time after creation`,
    `  both      look every ${SYNC_PERIOD} (15 s of load time) with this behavior: ${JSON.stringify(BEHAVIOR)}`,
    `  ours      mode Active, objective Availability, coverage ${COVERAGE}, lead time learned`,
    '',
  ].join('\n');
}

interface Seen {
  readonly ours: Tick[];
  readonly hpa: Tick[];
  readonly forecast: ForecastPoint[];
  byForecast: string | undefined;
}

interface Explained {
  readonly live: {
    readonly forecast?: {
      readonly quantiles: readonly { level: number; load: number }[];
      readonly model: { digest: string };
    };
  };
  readonly decisions: readonly {
    id: string;
    boundBy: string;
    desiredReplicas: number;
    explanation: { sentence: string };
    reactive: { replicas?: number };
  }[];
}

/** Looks at both sides four times a second, through the API server, until the window ends. */
async function watch(
  stage: Stage,
  trace: Trace,
  window: Window,
  capacity: number,
  signal: AbortSignal,
): Promise<Seen> {
  const { calendar, cluster } = stage;
  const view = createView(process.stdout);
  const seen: Seen = { ours: [], hpa: [], forecast: [], byForecast: undefined };
  for (;;) {
    const startedAt = Date.now();
    const atMs = calendar.fromReal(startedAt);
    const load = loadAt(trace, atMs);
    if (atMs >= window.toMs || load === undefined) break;
    const [ours, hpa, explained] = await Promise.all([
      replicas(stage, OURS),
      replicas(stage, HPA),
      explanation(stage),
    ]);
    const leadMs = (await leadTimeMs(cluster)) * FACTOR;
    const quantiles = explained?.live.forecast?.quantiles;
    const newest = explained?.decisions[0];
    const [median, upper] = [quantiles?.[0]?.load, quantiles?.at(-1)?.load];
    if (atMs >= window.fromMs) {
      seen.ours.push({ atMs, load, ...ours });
      seen.hpa.push({ atMs, load, ...hpa });
      if (median !== undefined && upper !== undefined)
        seen.forecast.push({ atMs: atMs + leadMs, median, upper });
      const bound = explained?.decisions.find(({ boundBy }) => boundBy === 'Forecast');
      if (bound !== undefined)
        seen.byForecast ??= `decision ${bound.id} was bound by the forecast of model ${explained?.live.forecast?.model.digest}:\n  ${bound.explanation.sentence}`;
      view.show({
        window,
        capacity,
        ours: seen.ours,
        hpa: seen.hpa,
        forecast: median === undefined || upper === undefined ? undefined : { median, upper },
        underMinutes: {
          ours: elasticityOf(seen.ours, capacity).underProvisionedMinutes,
          hpa: elasticityOf(seen.hpa, capacity).underProvisionedMinutes,
        },
        why: newest?.explanation.sentence ?? '-',
      });
    }
    await sleep(Math.max(0, TICK_MS - (Date.now() - startedAt)), undefined, { signal });
  }
  return seen;
}

async function replicas({ cluster }: Stage, name: string): Promise<{ ready: number; ordered: number }> {
  const path = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${name}`;
  const { spec, status } = await request<{ spec: { replicas: number }; status: { readyReplicas?: number } }>(
    cluster,
    'GET',
    path,
  );
  return { ready: status.readyReplicas ?? 0, ordered: spec.replicas };
}

async function leadTimeMs(cluster: Stage['cluster']): Promise<number> {
  const path = `/apis/foresail.io/v1alpha1/namespaces/${NAMESPACE}/predictivescalers/web`;
  const { status } = await request<{ status?: { leadTime?: { value?: string } } }>(cluster, 'GET', path);
  return Number.parseFloat(status?.leadTime?.value ?? '2') * 1000;
}

async function explanation({ operator, cluster }: Stage): Promise<Explained | undefined> {
  try {
    const response = await fetch(`${operator.url}/explain/v1/namespaces/${NAMESPACE}/predictivescalers/web`, {
      headers: { authorization: `Bearer ${cluster.adminToken}` },
    });
    return response.ok ? ((await response.json()) as Explained) : undefined;
  } catch {
    // A look that fails is a gap in the chart; that the operator has ended is told by `endOf`.
    return undefined;
  }
}

async function writeCharts(
  seen: Seen,
  window: Window,
  capacity: number,
  table: string,
  say: (line: string) => void,
): Promise<void> {
  const svg = drawSvg({
    title: 'Scaled by forecast, scaled by HPA: the same traffic on a real Kubernetes',
    subtitle: `NASA web server, ${iso(window.fromMs)} to ${iso(window.toMs).slice(11)}, replayed ${FACTOR} times as fast; pods take ${START_UP_MS / 1000} s to start`,
    capacity,
    ours: seen.ours,
    hpa: seen.hpa,
    forecast: seen.forecast,
  });
  const folder = flags.out;
  await mkdir(folder, { recursive: true });
  await Promise.all([
    writeFile(join(folder, 'demo.svg'), svg),
    writeFile(join(folder, 'demo.png'), await renderPng(svg, 2 * WIDTH)),
    writeFile(join(folder, 'demo.html'), wrapHtml(svg, table, 'make demo')),
    writeFile(join(folder, 'demo.json'), JSON.stringify({ window, capacity, ...seen })),
  ]);
  say(`chart: ${folder}/demo.png and ${folder}/demo.html`);
}

function iso(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}
