/**
 * Disturbed loads: how much worse a forecast becomes when data are missing or noisy, and whether it follows when the
 * load itself changes. What only disturbs the measurement is seen but not scored; what changes the load is both.
 */
import { normal, type Random } from '../generated.ts';
import { aggregateOf } from './aggregate.ts';
import { geometricMean, told } from './metrics.ts';
import { protocolOf } from './protocol.ts';
import type { EvaluationResult, ScenarioResult } from './report-types.ts';
import type { Scene } from './scene.ts';
import { type Contender, type ScoreOptions, scoreSeries } from './score.ts';

const DAY_MS = 86_400_000;
const UNKNOWN = Number.NaN;

export interface Scenario {
  readonly id: string;
  readonly summary: string;
  /** @param split first step of the test part; nothing before it changes */
  disturb(scene: Scene, split: number, random: Random): Scene;
}

export const SCENARIOS: readonly Scenario[] = [
  {
    id: 'missing',
    summary: 'a tenth of the steps unknown, and 30 in a row of every 500',
    disturb: (scene, split, random) => ({
      ...scene,
      seen: scene.seen.map((value, i) =>
        i >= split && (random() < 0.1 || (i - split) % 500 < 30) ? UNKNOWN : value,
      ),
    }),
  },
  {
    id: 'spikes',
    summary: 'one step of 200 measured five to ten times too high; the spikes themselves are not scored',
    disturb: (scene, split, random) => {
      const factor = scene.seen.map((_, i) => (i >= split && random() < 0.005 ? 5 + 5 * random() : 1));
      return {
        ...scene,
        seen: scene.seen.map((value, i) => value * (factor[i] ?? 1)),
        truth: scene.truth.map((value, i) => (factor[i] === 1 ? value : UNKNOWN)),
      };
    },
  },
  {
    id: 'levelShift',
    summary: 'the load doubles in the middle of the test part',
    disturb: (scene, split) => {
      const from = split + Math.floor((scene.truth.length - split) / 2);
      return both(scene, (i) => (i < from ? 1 : 2));
    },
  },
  {
    id: 'noise',
    summary: 'every measured step off by a fifth (standard deviation)',
    disturb: (scene, split, random) => ({
      ...scene,
      seen: scene.seen.map((value, i) =>
        i < split ? value : Math.max(value * (1 + 0.2 * normal(random)), 0),
      ),
    }),
  },
  {
    id: 'growth',
    summary: 'a week of growth by a tenth a day at the end of the test part',
    disturb: (scene, split) => {
      const from = Math.max(split, scene.truth.length - Math.round((7 * DAY_MS) / scene.stepMs));
      return both(scene, (i) => 1.1 ** ((Math.max(i - from, 0) * scene.stepMs) / DAY_MS));
    },
  },
];

/** Of one scene: undisturbed, then under each scenario by its id. */
export interface DisturbedScores {
  readonly clean: readonly EvaluationResult[];
  readonly disturbed: Readonly<Record<string, readonly EvaluationResult[]>>;
}

/**
 * Scores contenders on a scene undisturbed and under every scenario.
 *
 * @param random makes the generator of one scenario, so that every model meets the same disturbance
 * @returns undefined for a scene that does not enter the aggregate
 */
export async function scoreDisturbed(
  scene: Scene,
  contenders: readonly Contender[],
  options: ScoreOptions,
  random: () => Random,
  signal: AbortSignal,
): Promise<DisturbedScores | undefined> {
  const protocol = protocolOf(scene);
  if (typeof protocol === 'string' || protocol.leftOut !== null) return undefined;
  const score = async (one: Scene): Promise<readonly EvaluationResult[]> =>
    (await scoreSeries(one, contenders, options, signal)).results;
  const clean = await score(scene);
  const disturbed: Record<string, readonly EvaluationResult[]> = {};
  for (const scenario of SCENARIOS) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other: they share the processor
    disturbed[scenario.id] = await score(scenario.disturb(scene, protocol.split, random()));
  }
  return { clean, disturbed };
}

export function scenarioResults(scores: readonly DisturbedScores[]): ScenarioResult[] {
  const clean = scores.flatMap((each) => each.clean);
  return SCENARIOS.flatMap(({ id: scenario }) => {
    const results = scores.flatMap(({ disturbed }) => disturbed[scenario] ?? []);
    return aggregateOf(results).map(({ model, horizonSeconds, series, relWql, coverage }) => {
      const of = (rows: readonly EvaluationResult[]): EvaluationResult[] =>
        rows.filter((row) => row.model === model && row.horizonSeconds === horizonSeconds);
      const before = new Map(of(clean).map((row) => [row.series, row.wql ?? UNKNOWN]));
      const ratios = of(results).map((row) => (row.wql ?? UNKNOWN) / (before.get(row.series) ?? UNKNOWN));
      return {
        scenario,
        model,
        horizonSeconds,
        series,
        wqlVsClean: told(geometricMean(ratios)),
        relWql,
        coverage,
      };
    });
  });
}

function both(scene: Scene, factor: (i: number) => number): Scene {
  return {
    ...scene,
    seen: scene.seen.map((value, i) => value * factor(i)),
    truth: scene.truth.map((value, i) => value * factor(i)),
  };
}
