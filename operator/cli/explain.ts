/**
 * `foresail explain NAME`: why a scaler did what it did. The status in the cluster tells the last decision; the
 * operator itself (--server, for instance through `kubectl port-forward`) tells the inputs, every proposal and what
 * bound it.
 */
import { Command } from 'commander';
import {
  API_VERSION,
  PREDICTIVE_SCALER,
  type PredictiveScaler,
  parsePredictiveScaler,
} from '../api/index.ts';
import { systemClock } from '../clock.ts';
import type { Decision } from '../decision/types.ts';
import { ForesailError } from '../errors.ts';
import type { ForecastReason } from '../forecast/attribution/attribution.ts';
import { KubeClient, loadConnection, Transport } from '../runtime/index.ts';

const REF = {
  group: PREDICTIVE_SCALER.group,
  version: PREDICTIVE_SCALER.version,
  plural: PREDICTIVE_SCALER.plural,
  namespaced: true,
};
const DEADLINE_MS = 15_000;

interface Flags {
  readonly namespace: string;
  readonly kubeconfig?: string;
  readonly server?: string;
  readonly token?: string;
  readonly output: string;
  readonly whyForecast?: boolean;
}

interface Explained {
  readonly live: object;
  readonly decisions: readonly Decision[];
  readonly forecast?: { readonly attribution: readonly ForecastReason[] };
}

export function explainCommand(): Command {
  return new Command('explain')
    .description('say why a PredictiveScaler decided as it did')
    .argument('<name>', 'name of the PredictiveScaler')
    .option('-n, --namespace <namespace>', 'its namespace', 'default')
    .option('--kubeconfig <file>', 'default: KUBECONFIG or ~/.kube/config')
    .option(
      '--server <url>',
      "the operator's address, e.g. http://127.0.0.1:8080 behind kubectl port-forward",
    )
    .option('--token <token>', 'bearer token for --server; default: FORESAIL_TOKEN')
    .option('--why-forecast', 'say which part of the past drove the newest forecast (needs --server)')
    .option('-o, --output <form>', 'text or json', 'text')
    .action((name: string, flags: Flags) => explain(name, flags));
}

async function explain(name: string, flags: Flags): Promise<void> {
  if (flags.whyForecast === true && flags.server === undefined)
    throw new ForesailError(
      'FLAG_MISSING',
      'terminal',
      '--why-forecast needs --server: only the operator can tell',
      {
        subject: '--server',
      },
    );
  const scaler = await read(name, flags);
  const explained = flags.server === undefined ? undefined : await ask(name, flags, flags.server);
  const text =
    flags.output === 'json'
      ? JSON.stringify({ status: scaler.status, ...explained }, null, 2)
      : [
          statusText(scaler),
          ...(flags.whyForecast === true ? [reasonsText(explained?.forecast?.attribution ?? [])] : []),
          ...(explained === undefined ? [HINT] : explained.decisions.map(decisionText)),
        ].join('\n\n');
  process.stdout.write(`${text}\n`);
}

const HINT =
  'The inputs of each decision are told by the operator: add --server (see foresail explain --help).';

async function read(name: string, { kubeconfig, namespace }: Flags): Promise<PredictiveScaler> {
  const transport = new Transport(await loadConnection(kubeconfig === undefined ? {} : { kubeconfig }), {
    clock: systemClock,
  });
  try {
    const client = new KubeClient(transport, { userAgent: 'foresail-cli' });
    const found = await client.get(REF, { namespace, name }, AbortSignal.timeout(DEADLINE_MS));
    return parsePredictiveScaler(found);
  } finally {
    await transport.close();
  }
}

async function ask(
  name: string,
  { namespace, token = process.env['FORESAIL_TOKEN'], whyForecast }: Flags,
  server: string,
): Promise<Explained> {
  const [inNamespace, named] = [namespace, name].map(encodeURIComponent);
  const url = new URL(`/explain/v1/namespaces/${inNamespace}/predictivescalers/${named}`, server);
  if (whyForecast === true) url.searchParams.set('attribution', 'true');
  const response = await fetch(url, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  // A proxy in between answers in its own way.
  const body = (await response.json().catch(() => ({}))) as Explained & { error?: string };
  if (!response.ok || body.decisions === undefined)
    throw new ForesailError(
      'EXPLAIN_REFUSED',
      'terminal',
      `${server} answers ${response.status}: ${body.error ?? 'not an explanation'}`,
    );
  return body;
}

export function statusText({
  metadata,
  spec,
  status = {},
}: Pick<PredictiveScaler, 'metadata' | 'spec' | 'status'>): string {
  const { lastDecision, conditions = [], leadTime, forecast, coverage } = status;
  const lines = [
    `${API_VERSION} ${PREDICTIVE_SCALER.kind} ${metadata.namespace}/${metadata.name}`,
    `  target      ${status.target ?? '-'}, ${status.currentReplicas ?? '?'} replicas, wants ${status.desiredReplicas ?? '?'} of ${spec.minReplicas}..${spec.maxReplicas}`,
    `  mode        ${spec.mode}${status.mode === undefined || status.mode === spec.mode ? '' : `, acts as ${status.mode}`}`,
    `  lead time   ${leadTime?.value ?? '-'} (${leadTime?.source ?? 'unknown'}${leadTime?.samples === undefined ? '' : `, ${leadTime.samples} starts seen`})`,
    `  forecast    ${forecast === undefined ? 'none' : forecastText(forecast)}`,
    `  coverage    asked ${coverage?.asked ?? '-'}, realised ${coverage?.realised ?? 'not measured yet'}`,
    `  verdict     ${verdictText(status.verdict)}`,
    `  last change ${lastDecision === undefined ? '-' : `${lastDecision.time}: ${lastDecision.result} by ${lastDecision.boundBy} (decision ${lastDecision.id})`}`,
    ...conditions.map(
      ({ type, status: value, reason, message }) =>
        `  ${value === 'True' ? '✓' : '·'} ${type}=${value} ${reason}: ${message}`,
    ),
  ];
  return lines.join('\n');
}

/** Who forecasts, and what exactly it is where it is a file. */
function forecastText({
  replicas,
  forecaster,
  model,
  version,
  digest,
  step,
}: NonNullable<NonNullable<PredictiveScaler['status']>['forecast']>): string {
  const file = digest === 'builtin' ? '' : ` (${model} ${version}, ${digest})`;
  return `${replicas ?? '?'} replicas by ${forecaster ?? model}${file}${step === undefined ? '' : `, in steps of ${step}`}`;
}

function verdictText(verdict: NonNullable<PredictiveScaler['status']>['verdict']): string {
  if (verdict?.recommendation === undefined) return '-';
  const { recommendation, reason = '', window, againstHpa } = verdict;
  const numbers = againstHpa === undefined ? '' : `, against HPA ${againstHpa} over ${window}`;
  return `${recommendation} (${reason})${numbers}`;
}

export function decisionText(decision: Decision): string {
  const { explanation, reactive, forecast } = decision;
  return [
    `${new Date(decision.atMs).toISOString()}  ${explanation.sentence}  [${decision.id}]`,
    ...reactive.metrics.map((metric) =>
      metric.kind === 'valid'
        ? `  reactive  ${metric.replicas} by ${metric.description}: ${metric.detail}`
        : `  reactive  unknown: ${metric.reason}: ${metric.message}`,
    ),
    forecast.kind === 'known'
      ? `  forecast  ${forecast.replicas} at ${forecast.coverage * 100} % coverage by ${forecast.model.name} ${forecast.model.version}`
      : `  forecast  unknown: ${forecast.message}`,
    ...explanation.steps.map(({ step, from, to, note }) => `  ${from} → ${to}  ${step}: ${note}`),
  ].join('\n');
}

/** Which parts of the past raised and lowered the newest forecast, the strongest first. */
export function reasonsText(reasons: readonly ForecastReason[]): string {
  if (reasons.length === 0)
    return 'No forecast of now can be explained; the condition ForecastReady says why.';
  return reasons.map(reasonText).join('\n\n');
}

function reasonText({
  metric,
  by,
  origin,
  stepSeconds,
  step,
  level,
  load,
  parts,
  seasons,
}: ForecastReason): string {
  const ordered = [...parts].sort((a, b) => (b.share ?? 1) - (a.share ?? 1));
  return [
    `${metric}: ${by} forecast ${number(load)} at ${100 * level} % for ${(step * stepSeconds) / 60} min after ${origin} (before calibration)`,
    ...ordered.map(({ name, known, effect, share }) => {
      const what = known === 0 ? 'unknown, had no part in it' : effectText(effect);
      const much = share === undefined ? '   ?' : `${(100 * share).toFixed(0).padStart(3)} %`;
      return `  ${much}  ${name.padEnd(20)}  ${what}`;
    }),
    `  all days before together: ${effectText(seasons)}`,
  ].join('\n');
}

function effectText(effect: number | undefined): string {
  if (effect === undefined) return 'without it there would be no forecast';
  if (effect === 0) return 'made no difference';
  return `${effect > 0 ? 'raised' : 'lowered'} it by ${number(Math.abs(effect))}`;
}

function number(value: number): string {
  return String(Number(value.toPrecision(3)));
}
