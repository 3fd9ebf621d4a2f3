/** What pods say of their work and its end, over HTTP or as last words, in the terms of plan and status. */
import type { LastWords } from '../../training/termination.ts';
import type {
  AttemptReports,
  Lineage,
  ProgressReport,
  ResultReport,
  TrialsReport,
} from '../../training/types.ts';
import type { BestTrial, Progress, Told } from './plan/types.ts';
import { text } from './state.ts';

const MOST_SCORES = 64;

export function toldOf({ error, result, gate, trials }: LastWords): Told {
  return {
    ...(error === undefined ? {} : { error }),
    ...(result === undefined ? {} : { result: resultOf(result) }),
    ...(gate === undefined
      ? {}
      : { gate: { ...gate, scores: scoresOf(gate.scores) ?? {}, published: gate.published ?? undefined } }),
    ...(trials?.best === undefined || trials.best === null ? {} : { best: bestOf(trials, trials.best) }),
  };
}

export function reported(reports: AttemptReports): Told & { readonly progress?: Progress } {
  const { progress, advancedAt, at } = reports;
  return {
    ...toldOf(reports),
    ...(progress === undefined ? {} : { progress: progressOf(progress, advancedAt ?? at) }),
  };
}

function bestOf(
  { finished, pruned, failed }: TrialsReport,
  { trial, params, score }: NonNullable<TrialsReport['best']>,
): BestTrial {
  return {
    number: trial,
    score: text(score) ?? '',
    hyperparameters: Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)])),
    trials: finished + pruned + failed,
  };
}

function progressOf(report: ProgressReport, atMs: number): Progress {
  const { step, total, loss, score, checkpointStep, checkpointError, samplesPerSecond, etaSeconds, device } =
    report;
  return {
    step,
    total,
    device: device === '' ? undefined : device,
    loss: loss ?? undefined,
    score: score ?? undefined,
    checkpointStep: checkpointStep ?? undefined,
    checkpointError: checkpointError ?? undefined,
    samplesPerSecond: samplesPerSecond ?? undefined,
    etaSeconds: etaSeconds ?? undefined,
    atMs,
  };
}

/** What did not fit into the last words is absent, whatever the type says. */
function resultOf({ sha256, sizeBytes, lineage }: ResultReport): Told['result'] {
  const { code, data, seed, scores } = (lineage ?? {}) as Partial<Lineage>;
  if (lineage === null || lineage === undefined) return { sha256, sizeBytes };
  return {
    sha256,
    sizeBytes,
    lineage: {
      codeDigest: code?.sha256,
      package: code?.package,
      seed,
      dataDigest: data?.sha256,
      series: data?.series,
      points: data?.points,
      firstTime: data?.firstTime ?? undefined,
      trainEnd: data?.trainEnd ?? undefined,
      validateEnd: data?.validateEnd ?? undefined,
      lastTime: data?.lastTime ?? undefined,
    },
    scores: scoresOf(scores),
  };
}

function scoresOf(given: Readonly<Record<string, unknown>> | undefined) {
  const known = Object.entries(given ?? {}).flatMap(([name, value]) =>
    typeof value === 'number' && Number.isFinite(value) ? [[name, text(value) ?? ''] as const] : [],
  );
  return known.length === 0 ? undefined : Object.fromEntries(known.slice(0, MOST_SCORES));
}
