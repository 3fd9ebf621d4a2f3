/** What the gate of a training run says: one verdict per named gate, and one for all. */

/** In the order in which they are told. */
export const GATES = ['Data', 'Leakage', 'Contract', 'ForecastScore', 'Calibration', 'Decisions'] as const;
export type GateName = (typeof GATES)[number];

/** A gate that could not be measured is `Skip`; its message says why. */
export type GateVerdict = 'Pass' | 'Fail' | 'Skip';

export type Figures = Readonly<Record<string, number | null>>;

export interface GateResult {
  readonly name: GateName;
  readonly verdict: GateVerdict;
  /** What was found; null where it cannot be told. */
  readonly measured: Figures;
  /** What was asked, by the names of `measured`. */
  readonly required: Figures;
  /** For people: of a failure, what to look at. */
  readonly message: string;
}

/** Ratios are to the incumbent (`vsIncumbent`) and to seasonal naive (`vsNaive`); below 1 is better. */
export interface GateScores {
  readonly series: number;
  readonly windows: number;
  readonly lossVsIncumbent: number | null;
  /** One-sided 95 % bound of the ratio before it. */
  readonly lossVsIncumbentUpper95: number | null;
  readonly lossVsNaive: number | null;
  readonly lossVsNaiveUpper95: number | null;
  readonly relMase: number | null;
  readonly relWql: number | null;
  readonly coverage90: number | null;
  readonly coverage95: number | null;
  readonly coverage99: number | null;
}

/** A name and what of it is wrong, for the reader who looks for the series to blame. */
export interface SeriesNote {
  readonly series: string;
  readonly reason: string;
}
