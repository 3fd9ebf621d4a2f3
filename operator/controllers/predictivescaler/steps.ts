/**
 * The spacing of a forecast's points where the spec names none: the metric's own cadence, rounded up to a round
 * number. A finer step would repeat each sample and teach the model stairs, a coarser one would come late.
 *
 * A Prometheus server is asked how many samples an hour holds; the metrics APIs stamp each sample, and the stamps tell.
 * Another step means that calibration begins anew, so a step changes only on clear evidence.
 */
import type { MetricSpec } from '../../api/index.ts';
import type { Calendar, Clock } from '../../clock.ts';
import type { SeriesKey } from '../../history/types.ts';
import type { Logger } from '../../logger.ts';
import type { MetricSources } from '../../metricsources/types.ts';

export interface StepRequest {
  readonly seriesKey: SeriesKey;
  readonly namespace: string;
  readonly metric: MetricSpec;
  readonly podSelector: string;
  /** Time of the newest sample, real time by the source's clock; undefined while it is unknown. */
  readonly sampledAtMs: number | undefined;
  /** The step that what was learned before a restart belongs to. */
  readonly learnedStepMs: number | undefined;
}

export interface Steps {
  /** Undefined while the server is asked for the first time. Load time. */
  stepOf(request: StepRequest): number | undefined;
  forget(seriesKey: SeriesKey): void;
}

export interface StepsOptions {
  readonly sources: Pick<MetricSources, 'cadence' | 'canBackfill'>;
  readonly clock: Clock;
  readonly calendar: Calendar;
  readonly log: Logger;
  /** The finest step, and the one in force until something is known. */
  readonly defaultStepMs: number;
  readonly random?: () => number;
  /** Ends what is under way at shutdown. */
  readonly signal: AbortSignal;
}

const MINUTE = 60_000;
const ROUND_STEPS = [1, 2, 5, 10, 15, 30, 60].map((minutes) => minutes * MINUTE);
/** A cadence this much above a round step still takes it: scrapes are missed and clocks are not exact. */
const SLACK = 1.1;
/** How often a server is asked again; a doubt, or a series that is too young, sooner. */
const ASK = { everyMs: 6 * 60 * MINUTE, soonMs: 20 * MINUTE };
/** Distances between stamps that are looked at, and how many of them must speak for another step. */
const STAMPS = { seen: 9, agree: 7 };

/** The shortest round step, not below `leastMs`, that holds a sample each. */
export function roundStep(cadenceMs: number, leastMs: number): number {
  if (cadenceMs <= leastMs * SLACK) return leastMs;
  const round = ROUND_STEPS.filter((step) => step > leastMs);
  return round.find((step) => cadenceMs <= step * SLACK) ?? round.at(-1) ?? leastMs;
}

interface Entry {
  stepMs: number;
  /** False until the first answer of a server that can be asked. */
  known: boolean;
  asking: boolean;
  askAt: number;
  /** What the last answer said, where it was not the step in force: believed when the next one says it too. */
  doubt: number | undefined;
  stampMs: number | undefined;
  /** What each of the last distances between stamps speaks for. */
  votes: number[];
}

export function createSteps(options: StepsOptions): Steps {
  const { sources, clock, calendar, log, defaultStepMs, signal, random = Math.random } = options;
  const entries = new Map<SeriesKey, Entry>();

  const stepFor = (realMs: number) => roundStep(realMs * calendar.factor, defaultStepMs);

  function entryOf({ seriesKey, learnedStepMs, metric }: StepRequest): Entry {
    let entry = entries.get(seriesKey);
    if (entry === undefined) {
      const usable =
        learnedStepMs !== undefined && stepFor(learnedStepMs / calendar.factor) === learnedStepMs;
      entry = {
        stepMs: usable ? learnedStepMs : defaultStepMs,
        known: usable || !sources.canBackfill(metric),
        asking: false,
        askAt: 0,
        doubt: undefined,
        stampMs: undefined,
        votes: [],
      };
      entries.set(seriesKey, entry);
    }
    return entry;
  }

  function change(entry: Entry, seriesKey: SeriesKey, stepMs: number): void {
    log.info('step follows the metric’s cadence', { series: seriesKey, from: entry.stepMs, to: stepMs });
    entry.stepMs = stepMs;
    entry.doubt = undefined;
    entry.votes = [];
  }

  async function ask(entry: Entry, request: StepRequest): Promise<void> {
    const { seriesKey } = request;
    const answer = await sources.cadence(request, signal);
    const step = answer.kind === 'value' ? stepFor(answer.value) : undefined;
    if (step !== undefined && step !== entry.stepMs) {
      const sure = !entry.known || entry.doubt === step;
      if (sure) change(entry, seriesKey, step);
      else entry.doubt = step;
    } else entry.doubt = undefined;
    const waitMs = step === undefined || entry.doubt !== undefined ? ASK.soonMs : ASK.everyMs;
    entry.askAt = clock.monotonic() + waitMs * (0.75 + random() / 2);
  }

  function watch(entry: Entry, { seriesKey, sampledAtMs }: StepRequest): void {
    if (sampledAtMs === undefined || sampledAtMs === entry.stampMs) return;
    const distance = sampledAtMs - (entry.stampMs ?? Number.NaN);
    entry.stampMs = sampledAtMs;
    if (!(distance > 0)) return;
    entry.votes = [...entry.votes, stepFor(distance)].slice(-STAMPS.seen);
    for (const step of new Set(entry.votes))
      if (step !== entry.stepMs && entry.votes.filter((vote) => vote === step).length >= STAMPS.agree)
        change(entry, seriesKey, step);
  }

  return {
    stepOf(request) {
      const entry = entryOf(request);
      if (!sources.canBackfill(request.metric)) watch(entry, request);
      else if (!entry.asking && clock.monotonic() >= entry.askAt && !signal.aborted) {
        entry.asking = true;
        ask(entry, request)
          .catch((error: unknown) => {
            entry.askAt = clock.monotonic() + ASK.soonMs;
            if (!signal.aborted)
              log.error('cadence could not be asked', { series: request.seriesKey, error });
          })
          .finally(() => {
            entry.asking = false;
            entry.known = true;
          });
      }
      return entry.known ? entry.stepMs : undefined;
    },
    forget: (seriesKey) => entries.delete(seriesKey),
  };
}
