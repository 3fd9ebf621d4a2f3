/**
 * Does a sample look like load, or like a broken meter? One absurd sample must not order a hundred times the
 * replicas, nor may a change of unit (seconds to milliseconds) look like a thousandfold load.
 *
 * The rule, per metric:
 * - A sample is *ordinary* when it is less than `spikeFactor` away from the last accepted one, up or down. Upwards it
 *   is also ordinary below `spikeFactor` times what the present replicas are meant to carry, so that an idle
 *   service may wake up at once.
 * - Any other sample is *suspect* and read as unknown (OutOfRange): nothing goes down on it, nothing goes up.
 * - It is believed after `confirmSamples` different samples in a row that agree with each other better than with the
 *   last accepted one. A legitimate step of load therefore passes a few samples late.
 * - A jump of `unitFactor` or more must also have lasted `unitConfirmMs`; without that setting it is not believed
 *   until someone changes the metric. A fall to exactly zero counts as a spike, for no change of unit ends there.
 * - An ordinary sample in between clears the suspicion.
 * The same sample seen again (by its time) is judged as before and counts once.
 */
import { type MetricReading, type Observation, unknown } from '../../observation.ts';
import type { OutlierConfig, OutlierState } from '../types.ts';

export const DEFAULT_OUTLIER_CONFIG: OutlierConfig = {
  // Half of what they are meant to catch: a hundredfold spike on replicas that are half idle is fifty times their
  // usual load, and a thousandfold change of unit must not pass for a spike that three samples confirm.
  spikeFactor: 50,
  unitFactor: 500,
  confirmSamples: 3,
  unitConfirmMs: 30 * 60_000,
};

export interface Judged {
  readonly reading: Observation<MetricReading>;
  readonly state: OutlierState | undefined;
}

/**
 * @param usualMilli what the present replicas are meant to carry, on the scale of `levelOf(reading)`; 0 if not known.
 */
export function judge(
  reading: Observation<MetricReading>,
  state: OutlierState | undefined,
  usualMilli: number,
  config: OutlierConfig,
): Judged {
  if (reading.kind === 'unknown') return { reading, state };
  const level = levelOf(reading.value);
  if (level === undefined) return { reading, state };
  const accepted: OutlierState = { acceptedMilli: level, acceptedAtMs: reading.at };
  if (state === undefined) return { reading, state: accepted };
  const jump = jumpFactor(state.acceptedMilli, level, usualMilli);
  if (jump < config.spikeFactor) return { reading, state: accepted };

  const suspect = followed(state.suspect, state.acceptedMilli, level, reading.at);
  const samplesEnough = suspect.samples >= config.confirmSamples;
  const looksLikeUnit = jump >= config.unitFactor && level > 0;
  const lastedEnough =
    !looksLikeUnit ||
    (config.unitConfirmMs !== undefined && reading.at - suspect.sinceMs >= config.unitConfirmMs);
  if (samplesEnough && lastedEnough) return { reading, state: accepted };
  return {
    reading: unknown('OutOfRange', describe(state.acceptedMilli, level, looksLikeUnit), suspect.sinceMs),
    state: { ...state, suspect },
  };
}

/** The number that is watched: the total, or the average per pod (which a change of replicas hardly moves). */
export function levelOf(reading: MetricReading): number | undefined {
  if (reading.form === 'total') return reading.milli;
  if (reading.samples.size === 0) return undefined;
  let sum = 0;
  for (const { milli } of reading.samples.values()) sum += milli;
  return sum / reading.samples.size;
}

/** How many times over (or under) the level lies; at least 1. */
function jumpFactor(accepted: number, level: number, usual: number): number {
  if (level >= accepted) {
    const base = Math.max(accepted, usual);
    return level <= base ? 1 : level / base;
  }
  // Falls between levels that are next to nothing for the target mean nothing either.
  const nothing = usual / 10_000;
  return Math.max(accepted, nothing) / Math.max(level, nothing);
}

function followed(
  suspect: OutlierState['suspect'],
  accepted: number,
  level: number,
  atMs: number,
): NonNullable<OutlierState['suspect']> {
  if (suspect === undefined || !agrees(suspect.milli, level, accepted)) {
    return { milli: level, sinceMs: atMs, samples: 1, lastAtMs: atMs };
  }
  if (atMs <= suspect.lastAtMs) return suspect;
  return { ...suspect, milli: level, samples: suspect.samples + 1, lastAtMs: atMs };
}

/** Nearer to the suspect level than to the accepted one, on a logarithmic scale. */
function agrees(suspect: number, level: number, accepted: number): boolean {
  const apart = (a: number, b: number) => Math.abs(Math.log(Math.max(a, 1)) - Math.log(Math.max(b, 1)));
  return apart(level, suspect) <= apart(level, accepted);
}

function describe(accepted: number, level: number, looksLikeUnit: boolean): string {
  const from = Number((accepted / 1000).toPrecision(4));
  const to = Number((level / 1000).toPrecision(4));
  return looksLikeUnit
    ? `jumped from ${from} to ${to}, which looks like a change of unit`
    : `jumped from ${from} to ${to}; waiting for further samples to confirm it`;
}
