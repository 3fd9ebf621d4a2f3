/** How a TrainingJob stands, as text for a terminal. */
import {
  API_VERSION,
  budgetUse,
  TRAINING_JOB,
  type TrainingJob,
  type TrainingJobStatus,
  triggersOf,
} from '../api/index.ts';
import { counted } from './report/numbers.ts';
import { table } from './text-table.ts';

const BAR = 24;
/** Signed as it is now: what has gone wrong, what goes on, what waits. */
const GOOD = new Set(['Complete', 'GatePassed', 'Accelerated']);

export function trainText(object: TrainingJob, nowMs: number): string {
  const { metadata, spec, status = {} } = object;
  const { attempt, candidate, producedVersion, restarts = {}, conditions = [] } = status;
  const counts = Object.entries(restarts).filter(([, count = 0]) => count > 0);
  const lines = [
    `${API_VERSION} ${TRAINING_JOB.kind} ${metadata.namespace}/${metadata.name}: ${status.phase ?? 'not looked at yet'}`,
    ...(spec.schedule === undefined
      ? []
      : [
          `  schedule  ${spec.schedule} (${spec.timeZone ?? 'UTC'}), next ${status.nextScheduleTime ?? 'none'}`,
        ]),
    ...triggerLines(object, nowMs),
    ...(attempt === undefined ? [] : [`  attempt   ${attempt.number}: ${attemptText(status)}`]),
    ...(counts.length === 0
      ? []
      : [`  restarts  ${counts.map(([cause, count]) => `${cause} ${count}`).join(', ')}`]),
    ...(status.progress === undefined ? [] : [`  progress  ${progressText(status.progress)}`]),
    ...(candidate === undefined
      ? []
      : [
          `  model     ${candidate.digest.slice(0, 12)}, ${candidate.sizeBytes} bytes, ${candidate.path ?? ''}`,
        ]),
    ...gateLines(status.gate),
    ...(producedVersion === undefined
      ? []
      : [
          `  version   ${producedVersion.version} of ${producedVersion.registry}${producedVersion.alias === undefined ? '' : `, which ${producedVersion.alias} means`} (${producedVersion.digest.slice(0, 12)})`,
        ]),
    ...runLines(status.runs),
    ...conditions.map(
      ({ type, status: value, reason, message }) =>
        `  ${value === 'True' && GOOD.has(type) ? '✓' : '·'} ${type}=${value} ${reason}: ${message}`,
    ),
  ];
  return lines.join('\n');
}

/** What starts a run beside the schedule, and how many more of them may be started. */
function triggerLines({ spec, status }: Pick<TrainingJob, 'spec' | 'status'>, nowMs: number): string[] {
  const triggers = triggersOf(spec);
  if (triggers === undefined || spec.triggers === undefined) return [];
  const { drift, scoreBreach, coolDown, budget } = triggers;
  const signs = [...(drift ? ['drift'] : []), ...(scoreBreach ? ['missed coverage'] : [])].join(' and ');
  const text = `  triggers  ${signs}, cool-down ${coolDown}`;
  if (budget === undefined) return [text];
  const { used, spent } = budgetUse(budget, status?.triggerHistory, nowMs);
  const known = `${used} of ${budget.runs} runs within ${budget.per}`;
  if (spent === undefined) return [`${text}, ${known}`];
  const none = `none before ${new Date(spent.untilMs).toISOString()}`;
  return [
    spent.reason === 'BudgetSpent'
      ? `${text}, ${known}: ${none}`
      : `${text}, ${used} or more runs of ${budget.runs} within ${budget.per}: ${none}`,
  ];
}

/** `▐████████░░░░▌ 33 % 100/300`. */
export function progressText({
  step,
  total,
  eta,
  loss,
  score,
  samplesPerSecond,
  checkpointStep,
  device,
}: NonNullable<TrainingJobStatus['progress']>): string {
  const share = total === 0 ? 0 : Math.min(step / total, 1);
  const full = Math.floor(share * BAR);
  return [
    `${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${Math.floor(share * 100)} %, step ${step} of ${total}`,
    device === undefined ? undefined : `on ${device}`,
    eta === undefined ? undefined : `${eta} left`,
    loss === undefined ? undefined : `loss ${loss}`,
    score === undefined ? undefined : `score ${score}`,
    samplesPerSecond === undefined ? undefined : `${samplesPerSecond} samples/s`,
    checkpointStep === undefined ? undefined : `checkpoint of step ${checkpointStep}`,
  ]
    .filter((part) => part !== undefined)
    .join(', ');
}

/** One line for each; a repeating one says when its next run is due. */
export function trainList(objects: readonly TrainingJob[]): string {
  const rows = objects.map(({ metadata, spec, status = {} }) => {
    const { progress, producedVersion, runs = [] } = status;
    return [
      metadata.name,
      status.phase ?? '-',
      spec.model.family,
      progress === undefined || progress.total === 0
        ? '-'
        : `${Math.floor((100 * progress.step) / progress.total)} %`,
      producedVersion === undefined ? '-' : `${producedVersion.registry}:${producedVersion.version}`,
      status.nextScheduleTime ?? '-',
      runs.length === 0 ? '-' : `${runs[0]?.name} ${runs[0]?.phase}`,
    ];
  });
  return rows.length === 0
    ? 'no TrainingJobs'
    : table(['name', 'phase', 'family', 'done', 'version', 'next run', 'newest run'], rows);
}

function attemptText({ attempt, workers }: TrainingJobStatus): string {
  if (attempt === undefined) return '';
  const ready = workers === undefined ? '' : `, ${workers.ready} of ${counted(workers.nodes, 'pod')} run`;
  const after = attempt.cause === undefined ? '' : `, after ${attempt.cause}`;
  const ended =
    attempt.ended === undefined ? '' : `; ended (${attempt.ended.cause}): ${attempt.ended.message}`;
  return `${counted(attempt.nodes, 'pod')} by ${attempt.accelerator}${after}${ready}${ended}`;
}

function gateLines(gate: TrainingJobStatus['gate']): string[] {
  if (gate === undefined) return [];
  const { verdict, failed = [], scores = {} } = gate;
  const rows = Object.entries(scores).map(([name, value]) => [name, value]);
  return [
    `  gate      ${verdict}${failed.length === 0 ? '' : `: ${failed.join(', ')}`}`,
    ...table(['score', 'value'], rows)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `    ${line}`),
  ];
}

function runLines(runs: TrainingJobStatus['runs'] = []): string[] {
  if (runs.length === 0) return [];
  const rows = runs.map(({ name, cause, phase, reason, startedAt, endedAt, version }) => [
    name,
    cause,
    reason === undefined ? phase : `${phase} (${reason})`,
    startedAt,
    endedAt ?? '-',
    version === undefined ? '-' : String(version),
  ]);
  const text = table(['run', 'cause', 'phase', 'due', 'ended', 'version'], rows);
  return ['  runs', ...text.split('\n').map((line) => `    ${line}`)];
}
