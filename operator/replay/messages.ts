/** What the thread that replays and the thread that scales say to each other. */
import type { ForecastWindow, QuantileForecast } from '../forecast/types.ts';
import type { Replay, ReplayRequest } from '../simulate/replay.ts';

/** A window without its reader of the longer past, which cannot leave its thread. */
export type SentWindow = Omit<ForecastWindow, 'past'>;

export interface ReplayJob extends ReplayRequest {
  /** Ids of forecasters in the order in which they serve; those of models among them. */
  readonly forecasters: readonly string[];
}

export type ToWorker =
  | {
      readonly kind: 'replay';
      readonly id: number;
      readonly models: readonly string[];
      readonly job: ReplayJob;
    }
  | { readonly kind: 'forecasts'; readonly call: number; readonly forecasts: readonly QuantileForecast[] }
  | { readonly kind: 'noForecasts'; readonly call: number; readonly message: string };

export type FromWorker =
  /** Models run on the other side, where their sessions, children and servers are. */
  | {
      readonly kind: 'ask';
      readonly call: number;
      readonly model: string;
      readonly windows: readonly SentWindow[];
    }
  | { readonly kind: 'replayed'; readonly id: number; readonly replay: Replay | undefined }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };
