/**
 * Evidence that a stream of differences is above 0 on average, which may be looked at after every value and stopped at
 * any of them. A gambler starts with 1 and bets a share of the wealth on the next difference being positive; where
 * differences are not positive on average no way of betting makes money, so wealth of 1/alpha is seen with probability
 * alpha at most, however often one looks (Ville's inequality). See Shafer (2021), "Testing by betting", and for
 * forecasts Choe & Ramdas, "Comparing Sequential Forecasters" (arXiv 2110.00115).
 *
 * - A bet needs bounded stakes: a difference is divided by CLIP trailing root mean squares of the stream, which are
 *   known before it comes, and cut to [-1, 1].
 * - Nobody knows the best share beforehand: the wealth is split over a few shares, and each part goes its own way.
 * - A model errs for a while, not for a step, so bets are on means of blocks of steps: what is left in common between
 *   neighbouring blocks is measured to be harmless (`foresail judge --simulate`).
 * - A forecast of `lead` > 1 steps ahead is judged when `lead - 1` younger ones are already made, so neighbouring blocks
 *   share errors by construction. Blocks are then at least `lead` long and dealt out to two streams in turn: what was
 *   known when a block's first forecast was made is all of the block before the last. The streams are taken as the
 *   harmonic mean of their p-values, which is at most twice too small whatever their dependence (Vovk & Wang 2020,
 *   "Combining p-values via averaging", Biometrika).
 */

/** Shares of the wealth that are put on one difference. */
const SHARES = [0.05, 0.1, 0.2, 0.4, 0.8] as const;
const CLIP = 2;
/** Steps of a block at least: hours, at the usual step of minutes, in which a model's luck changes. */
const BLOCK = 12;
/** Blocks of a stream that only show how large differences are. */
const UNSTAKED = 4;
/** Weight of the newest in the trailing mean square, once there are as many. */
const FORGET = 1 / 64;
/** Root mean squares that one block counts as at most: an explosion must not make the scale blind to what follows. */
const SURPRISE = 32;
/** Squares of it are far from overflow. */
const HUGE = 1e150;

/** Of one stream, plain numbers for a checkpoint. */
export interface StreamState {
  readonly count: number;
  readonly meanSquare: number;
  /** ln of the wealth of each share. */
  readonly logs: readonly number[];
  /** ln of the highest wealth so far. */
  readonly peak: number;
}

const FRESH: StreamState = { count: 0, meanSquare: 0, logs: SHARES.map(() => 0), peak: 0 };

interface Block {
  readonly index: number;
  readonly sum: number;
  readonly count: number;
}

export interface EProcessState {
  readonly streams: readonly StreamState[];
  /** Not bet on yet. */
  readonly open: Block | undefined;
}

export class EProcess {
  readonly #length: number;
  readonly #streams: StreamState[];
  #open: Block | undefined;

  /** @param lead steps ahead that the differences were forecast, at least 1 */
  constructor(lead: number, state?: EProcessState) {
    this.#length = Math.max(lead, BLOCK);
    this.#streams = Array.from({ length: lead === 1 ? 1 : 2 }, (_, i) => state?.streams[i] ?? FRESH);
    this.#open = state?.open;
  }

  /**
   * @param step number of the time step that the difference belongs to; steps may be missing, not come back
   * @param difference any unit, the same throughout; one that is not finite says nothing
   */
  take(step: number, difference: number): void {
    if (!Number.isFinite(difference)) return;
    const index = Math.floor(step / this.#length);
    if (this.#open !== undefined && this.#open.index !== index) this.#close(this.#open);
    const { sum, count } = this.#open?.index === index ? this.#open : { sum: 0, count: 0 };
    this.#open = { index, sum: sum + difference, count: count + 1 };
    if (step % this.#length === this.#length - 1) {
      this.#close(this.#open);
      this.#open = undefined;
    }
  }

  /**
   * One over the p-value of "never above 0 on average", from the highest wealth so far: it may be given up at 1/alpha,
   * with an error of alpha at most.
   */
  get evidence(): number {
    const peaks = this.#streams.map(({ peak }) => Math.exp(Math.min(peak, 700)));
    return peaks.reduce((sum, peak) => sum + peak, 0) / peaks.length ** 2;
  }

  get state(): EProcessState {
    return { streams: this.#streams, open: this.#open };
  }

  #close({ index, sum, count }: Block): void {
    const at = index % this.#streams.length;
    this.#streams[at] = bet(this.#streams[at] ?? FRESH, sum / count);
  }
}

function bet({ count, meanSquare, logs, peak }: StreamState, difference: number): StreamState {
  const stake =
    count < UNSTAKED || meanSquare === 0
      ? 0
      : Math.max(-1, Math.min(1, difference / (CLIP * Math.sqrt(meanSquare))));
  const limit = meanSquare === 0 ? HUGE : Math.min(HUGE, SURPRISE * Math.sqrt(meanSquare));
  const seen = Math.max(-limit, Math.min(limit, difference));
  const moved = logs.map((log, i) => log + Math.log1p((SHARES[i] ?? 0) * stake));
  return {
    count: count + 1,
    meanSquare: meanSquare + Math.max(1 / (count + 1), FORGET) * (seen ** 2 - meanSquare),
    logs: moved,
    peak: Math.max(peak, logOfMeanExp(moved)),
  };
}

function logOfMeanExp(logs: readonly number[]): number {
  const most = Math.max(...logs);
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0) / logs.length);
}
