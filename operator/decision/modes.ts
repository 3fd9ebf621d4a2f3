/** What each mode may do with the forecast and with the target. */
import type { DecisionSpec, Mode, ModeInForce, VerdictOnForecast } from './types.ts';

export interface ModeRules {
  readonly asked: Mode;
  readonly inForce: ModeInForce;
  /** Does step "combine" see the forecast? */
  readonly forecastActs: boolean;
  /** May the target be written? */
  readonly writes: boolean;
  /** HPA bit for bit: no guard of ours in between. */
  readonly strictParity: boolean;
  readonly note?: string;
}

export function modeRules(
  { mode }: Pick<DecisionSpec, 'mode'>,
  verdict: VerdictOnForecast = 'Undecided',
): ModeRules {
  switch (mode) {
    case 'Recommend':
      return {
        asked: mode,
        inForce: mode,
        forecastActs: true,
        writes: false,
        strictParity: false,
        note: 'Recommend writes nothing to the target',
      };
    case 'Reactive':
      return { asked: mode, inForce: mode, forecastActs: false, writes: true, strictParity: true };
    case 'Shadow':
      return { asked: mode, inForce: mode, forecastActs: false, writes: true, strictParity: false };
    case 'Active':
      return { asked: mode, inForce: mode, forecastActs: true, writes: true, strictParity: false };
    case 'Auto': {
      const proven = verdict === 'Active';
      return {
        asked: mode,
        inForce: proven ? 'Active' : 'Shadow',
        forecastActs: proven,
        writes: true,
        strictParity: false,
        note: AUTO_NOTES[verdict],
      };
    }
  }
}

const AUTO_NOTES: Record<VerdictOnForecast, string> = {
  Active: 'Auto acts as Active: on its own past the forecast does better than HPA',
  Shadow: 'Auto acts as Shadow: on its own past the forecast does no better than HPA',
  Undecided: 'Auto acts as Shadow until there is a verdict on the forecast',
};
