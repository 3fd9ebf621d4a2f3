/**
 * How much later than predicted answers come. A prediction knows runs and queues, not what else the server does
 * meanwhile: reads requests, writes answers, shares its processors. After Jacobson's timer for TCP ("Congestion
 * Avoidance and Control", 1988): the smoothed error, and so many smoothed deviations of it.
 */
const GAIN = 1 / 16;
/** Of a normal error, that leaves about one in a hundred out. */
const DEVIATIONS = 3;

export class PredictionMargin {
  #error = 0;
  #deviation = 0;

  /** @param errorMs real minus predicted time of the answers of one run */
  observe(errorMs: number): void {
    const off = errorMs - this.#error;
    this.#error += GAIN * off;
    this.#deviation += GAIN * (Math.abs(off) - this.#deviation);
  }

  /** To be added to a prediction; 0 or more, in milliseconds. */
  get ms(): number {
    return Math.max(0, this.#error + DEVIATIONS * this.#deviation);
  }
}
