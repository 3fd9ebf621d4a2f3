/**
 * Judges versions by the forecasts that they make of every load they serve. At each step of a series both versions are
 * asked from the same window; a forecast does not change its label, so the new one is scored on everything while it
 * touches nothing. Asked in the background: no decision waits for a version that does not act.
 */

import type { ForecastLearner } from '../../forecast/learner.ts';
import type { ForecastWindow, QuantileForecast } from '../../forecast/types.ts';
import type { HistoryStore } from '../../history/types.ts';
import { type ChainLink, forecastByChain } from '../../inference/chain.ts';
import { Desk, type DeskState, type DeskVerdict, type WaitingForecasts } from '../../judge/desk.ts';
import type { Logger } from '../../logger.ts';
import type { FullJudgement, Judge } from '../modeldeployment/judge.ts';
import type { ComparedVersions, NamedModel } from './served-models.ts';

/** One look at a series whose model is a ModelDeployment. */
export interface Sighting {
  readonly model: Extract<NamedModel, { kind: 'served' }>;
  readonly window: ForecastWindow;
  /** For people: the scaler and its metric. */
  readonly name: string;
  /** End of the lead window after the origin. */
  readonly leadMs: number;
  /** What the decision has seen, so that nobody is asked twice. */
  readonly seen: { readonly by: string; readonly forecast: QuantileForecast } | undefined;
  readonly learner: Pick<ForecastLearner, 'shadow'>;
  /** Load time. */
  readonly nowMs: number;
}

/** What is kept of a judgement: enough to go on with it after a restart. */
export interface StoredDesk {
  readonly candidate: string;
  readonly baseline: string;
  readonly margin: number;
  readonly minLabels: number;
  readonly desk: DeskState;
}

/** With the forecasts that waited at that very moment, where they are known. */
export interface WholeDesk extends StoredDesk {
  readonly waiting?: WaitingForecasts;
}

export interface Judging {
  /** Of the ModelDeployment. */
  readonly uid: string;
  readonly stored: () => StoredDesk;
  readonly waiting: () => WaitingForecasts;
  /** Another one when something was taken in since. */
  readonly revision: string;
}

export interface ForecastJudge extends Judge {
  /** Asks both versions, once per step. Never rejects; nobody need wait for it. */
  sight(sighting: Sighting): Promise<void>;
  /** The judgements under way, of which something was scored; one is read only when somebody asks for it. */
  judging(): readonly Judging[];
}

export interface ForecastJudgeOptions {
  readonly history: Pick<HistoryStore, 'window'>;
  /** What was stored of a ModelDeployment; asked once per pair of versions. */
  readonly restore: (uid: string) => WholeDesk | undefined;
  /** uids of the ModelDeployments that exist. */
  readonly living: () => ReadonlySet<string>;
  readonly log: Logger;
  /** Ends what is under way at shutdown. */
  readonly signal: AbortSignal;
}

/** Where nothing is judged. */
export const NO_FORECAST_JUDGE: Pick<ForecastJudge, 'sight'> = { sight: () => Promise.resolve() };

/** What a judgement is of. */
type Pair = Omit<StoredDesk, 'desk'>;

interface Judged {
  readonly of: Pair;
  readonly versions: { readonly candidate: number; readonly baseline: number };
  readonly desk: Desk;
  /** Origin of the newest step that was asked for, by series. */
  readonly asked: Map<string, number>;
  readonly names: Map<string, string>;
  /** As the status tells it. */
  shown: DeskVerdict | undefined;
}

/** Each figure of a status is a write: it is told anew when labels have grown by this share, or the verdict changes. */
const GROWTH = 1.05;

export function createForecastJudge(options: ForecastJudgeOptions): ForecastJudge {
  const { history, restore, living, log, signal } = options;
  const judged = new Map<string, Judged>();
  const read = (series: string, startMs: number, stepMs: number): number =>
    history.window(series, startMs, stepMs, 1)[0] ?? Number.NaN;

  function deskOf(uid: string, compared: ComparedVersions): Judged {
    const { candidate, baseline, margin, minLabels } = compared;
    const of = {
      candidate: idOf(candidate),
      baseline: idOf(baseline),
      margin,
      minLabels,
    };
    const before = judged.get(uid);
    if (before !== undefined && isSame(before.of, of)) return before;
    const alive = living();
    for (const other of judged.keys()) if (!alive.has(other)) judged.delete(other);
    const stored = before === undefined ? restore(uid) : undefined;
    const known = stored !== undefined && isSame(stored, of) ? stored : undefined;
    const fresh: Judged = {
      of,
      versions: { candidate: candidate.version, baseline: baseline.version },
      desk: new Desk({ margin, minLabels, read }, known?.desk, known?.waiting),
      asked: new Map(),
      names: new Map(),
      shown: undefined,
    };
    judged.set(uid, fresh);
    return fresh;
  }

  async function round({ model, window, name, leadMs, seen, learner, nowMs }: Sighting): Promise<void> {
    const { uid, acting, compared } = model;
    if (compared === undefined) return;
    const { desk, asked, names } = deskOf(uid, compared);
    const { key: series, originMs, stepMs } = window;
    if (originMs <= (asked.get(series) ?? Number.NEGATIVE_INFINITY)) return;
    asked.set(series, originMs);
    names.set(series, name);
    const ask = ({ link }: { readonly link: ChainLink }) =>
      seen?.by === link.id ? Promise.resolve(seen.forecast) : answerOf(link, window, signal);
    const [candidate, baseline] = await Promise.all([ask(compared.candidate), ask(compared.baseline)]);
    const idle = compared.candidate === acting ? compared.baseline : compared.candidate;
    const shadow = idle === compared.candidate ? candidate : baseline;
    if (shadow !== undefined) learner.shadow(idle.link.id, shadow);
    desk.note({ series, stepMs, leadMs, candidate, baseline });
    desk.settle(nowMs);
  }

  return {
    async sight(sighting) {
      try {
        await round(sighting);
      } catch (error) {
        if (!signal.aborted) log.error('versions were not compared', { series: sighting.window.key, error });
      }
    },
    judgementOf({ object, candidate, baseline }) {
      const one = judged.get(object.metadata.uid ?? '');
      if (one?.versions.candidate !== candidate || one.versions.baseline !== baseline) return undefined;
      const verdict = one.desk.verdict();
      if (verdict === undefined) return undefined;
      if (one.shown === undefined || isNews(one.shown, verdict)) one.shown = verdict;
      return judgementOf(one.shown, one.names, candidate, baseline);
    },
    judging: () =>
      [...judged]
        .filter(([, { desk }]) => desk.opened)
        .map(([uid, { of, desk }]) => ({
          uid,
          stored: () => ({ ...of, desk: desk.state as DeskState }),
          waiting: () => desk.waiting,
          revision: `${of.candidate} ${of.baseline} ${of.margin} ${of.minLabels} ${desk.revision}`,
        })),
  };
}

/** Undefined when it had no sound forecast. Rejects with the signal's reason alone. */
async function answerOf(
  link: ChainLink,
  window: ForecastWindow,
  signal: AbortSignal,
): Promise<QuantileForecast | undefined> {
  const outcome = await forecastByChain([link], window, signal);
  return outcome.kind === 'forecast' ? outcome.forecast : undefined;
}

function idOf({ version, digest }: ComparedVersions['candidate']): string {
  return `${version} ${digest}`;
}

function isSame(a: Pair, b: Pair): boolean {
  return (
    a.candidate === b.candidate &&
    a.baseline === b.baseline &&
    a.margin === b.margin &&
    a.minLabels === b.minLabels
  );
}

function isNews(before: DeskVerdict, now: DeskVerdict): boolean {
  return (
    before.verdict !== now.verdict || before.reason !== now.reason || now.labels >= before.labels * GROWTH + 1
  );
}

function judgementOf(
  verdict: DeskVerdict,
  names: ReadonlyMap<string, string>,
  candidate: number,
  baseline: number,
): FullJudgement {
  const { effect, interval, worstSeries, reason, labels, waiting, eWorse, eNotWorse } = verdict;
  const worst =
    worstSeries[0] && `${names.get(worstSeries[0].series) ?? ''} ${percent(worstSeries[0].effect)}`;
  const known = Number.isFinite(effect);
  const bounds = [interval.low, interval.high];
  return {
    candidate,
    baseline,
    verdict: verdict.verdict,
    labels,
    message: messageOf(verdict, candidate, baseline),
    details: {
      reason,
      waiting,
      eWorse: short(eWorse),
      eNotWorse: short(eNotWorse),
      ...(known ? { effect: percent(effect) } : {}),
      ...(bounds.every(Number.isFinite) ? { interval: bounds.map(percent) } : {}),
      ...(worst === undefined ? {} : { worstSeries: worst }),
    },
  };
}

function messageOf({ reason, effect, labels }: DeskVerdict, candidate: number, baseline: number): string {
  if (reason === 'CanaryFails')
    return `version ${candidate} fails to forecast more often than version ${baseline}`;
  if (!Number.isFinite(effect)) return 'no forecast of both versions was scored yet';
  return `the loss of version ${candidate} differs by ${percent(effect)} from that of version ${baseline}, over ${labels} forecasts`;
}

/** Signed, one decimal. */
function percent(share: number): string {
  return `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)} %`;
}

/** Two digits: an e-value that grows is told when it matters. */
function short(value: number): string {
  return value >= 1e6 ? '>1e6' : String(Number(value.toPrecision(2)));
}
