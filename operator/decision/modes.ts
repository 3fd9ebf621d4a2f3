/** What each mode may do with the forecast and with the target. */
import type { DecisionSpec, Mode, ModeInForce } from './types.ts';

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

export function modeRules({ mode }: Pick<DecisionSpec, 'mode'>): ModeRules {
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
    case 'Auto':
      return {
        asked: mode,
        inForce: 'Shadow',
        forecastActs: false,
        writes: true,
        strictParity: false,
        note: 'Auto acts as Shadow until there is a verdict on the forecast',
      };
  }
}
