/** The run's memory, out of a status and into one: a new leader goes on where the old one was. */
import type { RestartCause, TrainingJobStatus } from '../../api/index.ts';
import { formatDuration, parseDurationMs } from '../../duration.ts';
import type { Attempt, Cause, Outcome, Progress, Restarts, RunState } from './plan/types.ts';

type AttemptStatus = NonNullable<TrainingJobStatus['attempt']>;
type EndCause = NonNullable<AttemptStatus['ended']>['cause'];
type ProgressStatus = NonNullable<TrainingJobStatus['progress']>;

const NAMES = {
  ConfigError: 'config',
  Error: 'error',
  Stalled: 'stalled',
  VolumeFull: 'volumeFull',
  StorageAway: 'storageAway',
  Disruption: 'disruption',
  Resized: 'resized',
  CpuFallback: 'fallback',
  Suspended: 'suspended',
  Fenced: 'fenced',
  NeverStarted: 'cutOff',
  Searched: 'searched',
} as const satisfies Record<Cause, EndCause>;
const CAUSES = Object.fromEntries(Object.entries(NAMES).map(([cause, name]) => [name, cause])) as Record<
  EndCause,
  Cause
>;

/** A cause as status and metrics write it. */
export const causeName = (cause: Cause): EndCause => NAMES[cause];

export function stateOf(status: TrainingJobStatus | undefined): RunState {
  const {
    attempt,
    restarts = {},
    progress,
    bestTrial,
    candidate,
    gateWait,
    gate,
    producedVersion,
    startTime,
  } = status ?? {};
  return {
    restarts: Object.fromEntries(
      Object.entries(restarts).map(([name, count]) => [CAUSES[name as RestartCause], count]),
    ),
    ...(attempt === undefined ? {} : { attempt: attemptOf(attempt) }),
    ...(progress === undefined ? {} : { progress: progressOf(progress) }),
    ...(bestTrial === undefined ? {} : { best: bestTrial }),
    ...(candidate === undefined
      ? {}
      : {
          result: {
            sha256: candidate.digest,
            sizeBytes: candidate.sizeBytes,
            attempt: attempt?.number ?? 0,
            lineage: candidate.lineage,
            scores: candidate.scores,
          },
        }),
    ...(gateWait === undefined
      ? {}
      : {
          gateWait: {
            times: gateWait.count,
            message: gateWait.message,
            atMs: Date.parse(gateWait.time),
            retryAtMs: parsed(gateWait.retryAt),
          },
        }),
    ...(gate === undefined
      ? {}
      : {
          gate: {
            verdict: gate.verdict,
            failed: gate.failed ?? [],
            scores: gate.scores ?? {},
            published:
              gate.storageUri === undefined
                ? undefined
                : { storageUri: gate.storageUri, sha256: candidate?.digest ?? '' },
          },
        }),
    ...(producedVersion === undefined
      ? {}
      : {
          produced: {
            registry: producedVersion.registry,
            version: producedVersion.version,
            alias: producedVersion.alias,
            storageUri: producedVersion.storageUri,
            sha256: producedVersion.digest,
            atMs: Date.parse(producedVersion.time),
          },
        }),
    ...(startTime === undefined ? {} : { startedAtMs: Date.parse(startTime) }),
    ...outcomeOf(status),
  };
}

function attemptOf({
  accelerator,
  cause,
  startedAt,
  launchedAt,
  runningAt,
  roomSince,
  ended,
  stage,
  ...rest
}: AttemptStatus): Attempt {
  return {
    ...rest,
    ...(stage === 'search' ? { searches: true } : {}),
    onCpu: accelerator === 'cpu',
    createdAtMs: Date.parse(startedAt),
    after: cause && CAUSES[cause],
    launchedAtMs: parsed(launchedAt),
    startedAtMs: parsed(runningAt),
    roomSinceMs: parsed(roomSince),
    ended: ended && {
      cause: CAUSES[ended.cause],
      message: ended.message,
      atMs: Date.parse(ended.time),
      retryAtMs: parsed(ended.restartAt),
      nextNodes: ended.nodes,
    },
  };
}

function progressOf({ eta, loss, score, samplesPerSecond, updatedAt, ...rest }: ProgressStatus): Progress {
  return {
    ...rest,
    loss: number(loss),
    score: number(score),
    samplesPerSecond: number(samplesPerSecond),
    etaSeconds: eta === undefined ? undefined : parseDurationMs(eta) / 1000,
    atMs: parsed(updatedAt) ?? 0,
  };
}

function outcomeOf(status: TrainingJobStatus | undefined): { readonly outcome?: Outcome } {
  const { phase, conditions = [], completionTime } = status ?? {};
  if (phase !== 'Complete' && phase !== 'Failed') return {};
  const { reason = phase, message = '' } = conditions.find(({ type }) => type === phase) ?? {};
  return { outcome: { type: phase, reason, message, atMs: parsed(completionTime) ?? 0 } };
}

/** The part of a status that is the run's memory. */
export function statusOfState(state: RunState, path: string): TrainingJobStatus {
  const { attempt, restarts, progress, best, result, gateWait, gate, produced, outcome } = state;
  return {
    startTime: timeText(state.startedAtMs),
    completionTime: timeText(outcome?.atMs),
    attempt: attempt && attemptStatus(attempt),
    progress: progress && progressStatus(progress),
    restarts: restartsStatus(restarts),
    bestTrial: best,
    candidate: result && {
      digest: result.sha256,
      sizeBytes: result.sizeBytes,
      path,
      lineage: result.lineage,
      scores: result.scores,
    },
    gateWait: gateWait && {
      count: gateWait.times,
      message: gateWait.message.slice(0, 1024),
      time: new Date(gateWait.atMs).toISOString(),
      retryAt: timeText(gateWait.retryAtMs),
    },
    gate: gate && {
      verdict: gate.verdict,
      failed: gate.failed.length === 0 ? undefined : [...gate.failed],
      scores: Object.keys(gate.scores).length === 0 ? undefined : { ...gate.scores },
      storageUri: gate.published?.storageUri,
    },
    producedVersion: produced && {
      registry: produced.registry,
      version: produced.version,
      digest: produced.sha256,
      storageUri: produced.storageUri,
      alias: produced.alias,
      time: new Date(produced.atMs).toISOString(),
    },
  };
}

function attemptStatus({
  number: count,
  searches,
  nodes,
  onCpu,
  createdAtMs,
  after,
  launchedAtMs,
  startedAtMs,
  roomSinceMs,
  failures,
  ended,
}: Attempt): AttemptStatus {
  const cause = after && NAMES[after];
  return {
    number: count,
    stage: searches && 'search',
    nodes,
    accelerator: onCpu ? 'cpu' : 'nvidia',
    cause: cause === 'config' || cause === 'searched' ? undefined : cause,
    startedAt: new Date(createdAtMs).toISOString(),
    launchedAt: timeText(launchedAtMs),
    runningAt: timeText(startedAtMs),
    roomSince: timeText(roomSinceMs),
    failures,
    ended: ended && {
      cause: NAMES[ended.cause],
      message: ended.message.slice(0, 1024),
      time: new Date(ended.atMs).toISOString(),
      restartAt: timeText(ended.retryAtMs),
      nodes: ended.nextNodes,
    },
  };
}

function progressStatus({ step, total, checkpointStep, device, ...rest }: Progress): ProgressStatus {
  const { loss, score, samplesPerSecond, etaSeconds, atMs } = rest;
  return {
    step,
    total,
    checkpointStep,
    device,
    loss: text(loss),
    score: text(score),
    samplesPerSecond: text(samplesPerSecond),
    eta: etaSeconds === undefined ? undefined : formatDuration(Math.round(etaSeconds) * 1000),
    updatedAt: timeText(atMs),
  };
}

function restartsStatus(restarts: Restarts): TrainingJobStatus['restarts'] {
  const counts = Object.entries(restarts).map(([cause, count]) => [NAMES[cause as Cause], count]);
  return counts.length === 0 ? undefined : Object.fromEntries(counts);
}

/** Six digits say all that a loss says. */
export function text(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(Number(value.toPrecision(6)));
}

function number(value: string | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function parsed(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}

/** With milliseconds: waiting times are short. */
function timeText(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
