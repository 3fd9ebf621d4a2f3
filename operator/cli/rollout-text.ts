/** How a rollout stands, as text for a terminal. */
import { API_VERSION, MODEL_DEPLOYMENT, type ModelDeployment, type Step } from '../api/index.ts';
import { counted } from './report/numbers.ts';

export function rolloutText({ metadata, spec, status = {} }: ModelDeployment): string {
  const {
    stable,
    canary,
    variants = [],
    traffic = [],
    kept = [],
    judge,
    resolved,
    history = [],
    conditions = [],
  } = status;
  const shares = traffic.map(
    ({ version, weight, mirrorPercent = 0 }) =>
      `version ${version} ${weight} %${mirrorPercent > 0 ? ` (${mirrorPercent} % copied to it)` : ''}`,
  );
  const lines = [
    `${API_VERSION} ${MODEL_DEPLOYMENT.kind} ${metadata.namespace}/${metadata.name}: ${status.phase ?? 'not looked at yet'}`,
    ...(resolved === undefined
      ? []
      : [
          `  follows  ${resolved.registry}:${resolved.alias}, version ${resolved.version} of the registry (${resolved.digest.slice(0, 12)})`,
        ]),
    `  stable   ${stable === undefined ? '-' : `version ${stable.version} (${stable.digest.slice(0, 12)}), ${counted(stable.readyReplicas, 'pod')} ready`}`,
    `  canary   ${canary === undefined ? '-' : `version ${canary.version} (${canary.digest.slice(0, 12)}), ${counted(canary.readyReplicas, 'pod')} ready, since ${canary.startedAt}`}`,
    ...variants.map(
      ({ name, version, digest, readyReplicas }) =>
        `  variant  ${name} is version ${version} (${digest.slice(0, 12)}), ${counted(readyReplicas, 'pod')} ready`,
    ),
    `  traffic  ${shares.join(', ') || 'none: no version has a ready pod'}`,
    ...kept.map(({ version, until, for: why }) => `  kept     version ${version} until ${until} (${why})`),
    ...(judge === undefined
      ? []
      : [`  judge    ${judge.verdict}${judge.message === undefined ? '' : `: ${judge.message}`}`]),
    ...(judge?.guards ?? []).map(
      ({ name, outcome, message }) => `  guard    ${GUARD_MARKS[outcome]} ${name}: ${message}`,
    ),
    ...(canary === undefined ? [] : stepLines(canary, stable === undefined, spec.rollout.steps)),
    ...(history.length === 0 ? [] : ['  history']),
    ...history
      .toReversed()
      .map(
        ({ version, outcome, digest, startedAt, message }) =>
          `    ${version} ${outcome} (${digest.slice(0, 12)}) since ${startedAt}${message === undefined ? '' : `: ${message}`}`,
      ),
    ...conditions.map(
      ({ type, status: value, reason, message }) =>
        `  ${value === 'True' ? '✓' : '·'} ${type}=${value} ${reason}: ${message}`,
    ),
  ];
  return lines.join('\n');
}

const GUARD_MARKS = { Passed: '✓', Waiting: '·', Blind: '?', Breached: '✗' } as const;

/** Those that it goes through, which are not always those of the spec. */
function stepLines(
  { step: at, steps: all }: NonNullable<NonNullable<ModelDeployment['status']>['canary']>,
  first: boolean,
  steps: readonly Step[],
): string[] {
  if (all === 0 && first) return ['  steps    none: the first version serves as soon as a pod is ready'];
  if (all === 0) return ['  steps    none: it serves as soon as all its pods are ready'];
  return ['  steps', ...steps.map((step, i) => `    ${mark(i, at)} ${i} ${stepText(step)}`)];
}

function mark(index: number, at: number): string {
  if (index < at) return '✓';
  return index === at ? '▸' : ' ';
}

function stepText({ shadow, setWeight, pause }: Step): string {
  if (shadow !== undefined) return `shadow ${shadow.percent} % of the requests`;
  if (setWeight !== undefined) return `answer ${setWeight} % of the requests`;
  if (pause === undefined) return 'wait for the judge';
  return pause.duration === undefined ? 'wait for a person' : `wait ${pause.duration}`;
}
