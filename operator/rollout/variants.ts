/**
 * Phases "end variants" and "begin variants": versions that an A/B test holds beside stable for as long as it stands. None goes through steps or
 * is promoted, and stable does not change under the test: a comparison wants something that stays.
 */
import { type Draft, keep, type PlanPhase, tell, weightOf, withState } from './draft.ts';
import { amend, ended, newestRecord, recordOf } from './history.ts';
import type {
  RolloutCondition,
  RolloutInput,
  RolloutSettings,
  RolloutState,
  Share,
  Variant,
  VariantVersion,
  VersionRecord,
} from './types.ts';

type Seen = Pick<RolloutInput, 'settings' | 'pods'>;

/** Before a new file is looked at: a variant that won may be it. */
export const endVariants: PlanPhase = (draft, input) => {
  const wanted = input.settings.variants ?? [];
  const gone = (draft.state.variants ?? []).filter(({ name, version }) => {
    const digest = recordOf(draft.state, version)?.digest;
    return !wanted.some((variant) => variant.name === name && variant.digest === digest);
  });
  return gone.reduce((next, variant) => end(next, variant, input), draft);
};

/** Nothing is compared before there is something to compare with, and while that may change. */
export const beginVariants: PlanPhase = (draft, input) => {
  if (!isTested(draft.state, input.settings)) return draft;
  return (input.settings.variants ?? []).reduce((next, variant) => begin(next, variant, input), draft);
};

function begin(draft: Draft, { name, weight: _, ...source }: Variant, { nowMs }: RolloutInput): Draft {
  const { state } = draft;
  const held = state.variants ?? [];
  const running = held.find((variant) => variant.name === name);
  if (running !== undefined)
    // The same file behind another address is the same version.
    return recordOf(state, running.version)?.storageUri === source.storageUri
      ? draft
      : withState(
          draft,
          amend(state, running.version, (record) => ({ ...record, ...source })),
        );
  const version = (newestRecord(state)?.version ?? 0) + 1;
  const record: VersionRecord = { version, ...source, outcome: 'Testing', proven: false, startedAtMs: nowMs };
  const variants = [...held, { name, version }];
  const next = { ...state, variants, history: [...state.history, record] };
  return tell(withState(draft, next), 'Normal', 'VariantStarted', `variant ${name} is version ${version}`);
}

function end(draft: Draft, { name, version }: VariantVersion, { nowMs, settings }: RolloutInput): Draft {
  const { state } = draft;
  const message = `variant ${name} is not asked for any more`;
  const amended = amend(state, version, ended('Tested', nowMs, 'TestEnded', message));
  const next = {
    ...amended,
    variants: (state.variants ?? []).filter((variant) => variant.name !== name),
    kept: keep(state.kept, { version, untilMs: nowMs + settings.drainMs, for: 'Drain' }),
  };
  return tell(withState(draft, next), 'Normal', 'VariantEnded', `version ${version}: ${message}`);
}

/** Whether a new file has to wait for the end of a test. */
export function isTested({ stable, canary }: RolloutState, { variants = [] }: RolloutSettings): boolean {
  return variants.length > 0 && stable !== undefined && canary === undefined;
}

/** The variants that run, with what is asked of each. */
export function variantsOf(
  state: RolloutState,
  settings: RolloutSettings,
): readonly (VariantVersion & { readonly weight: number; readonly replicas: number })[] {
  return (state.variants ?? []).map(({ name, version }) => {
    const weight = settings.variants?.find((variant) => variant.name === name)?.weight ?? 0;
    return { name, version, weight, replicas: Math.max(1, Math.ceil((settings.replicas * weight) / 100)) };
  });
}

/** What each variant answers now: all of its share once it is warm enough for it, nothing without a ready pod. */
export function variantShares(state: RolloutState, { settings, pods }: Seen): readonly Share[] {
  return variantsOf(state, settings).flatMap(({ version, weight, replicas }) => {
    const { ready = 0, available = 0 } = pods.get(version) ?? {};
    const carries = weightOf(state.traffic, version) > 0;
    const able = ready > 0 && (carries || available >= replicas);
    return able && weight > 0 ? [{ version, weight, mirrorPercent: 0 }] : [];
  });
}

/** Without stable the variants that carry weight already take over, each by its share. The weights sum to 100. */
export function scaled(shares: readonly Share[]): readonly Share[] {
  const sum = shares.reduce((total, { weight }) => total + weight, 0);
  const rounded = shares.map((share) => ({ ...share, weight: Math.floor((share.weight * 100) / sum) }));
  const rest = 100 - rounded.reduce((total, { weight }) => total + weight, 0);
  return rounded.map((share, i) => (i === 0 ? { ...share, weight: share.weight + rest } : share));
}

export function testCondition(state: RolloutState, { settings, pods }: Seen): readonly RolloutCondition[] {
  const { variants: wanted = [] } = settings;
  if (wanted.length === 0) return [];
  const is = (status: RolloutCondition['status'], reason: string, message: string) => [
    { type: 'Testing' as const, status, reason, message },
  ];
  const running = variantsOf(state, settings);
  if (running.length < wanted.length)
    return is(
      'Unknown',
      'WaitingForRollout',
      'the variants begin when one version is stable and none rolls out',
    );
  const shares = variantShares(state, { settings, pods });
  const says = running.map(({ name, version }) => `${name} is version ${version}`).join(', ');
  const waiting = running.filter(({ version }) => weightOf(shares, version) === 0).map(({ name }) => name);
  return waiting.length === 0
    ? is('True', 'Running', says)
    : is(
        'Unknown',
        'WaitingForPods',
        `${says}; stable answers for ${waiting.join(', ')}, whose pods are not ready`,
      );
}
