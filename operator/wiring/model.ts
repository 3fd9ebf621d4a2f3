/** The model with its runs timed: the rooms that forecast know nothing of metrics. */
import type { Clock } from '../clock.ts';
import type { OnnxModel } from '../inference/types.ts';
import type { Metrics } from '../observability/metrics.ts';

export function measured(model: OnnxModel, clock: Clock, metrics: Pick<Metrics, 'forecast'>): OnnxModel {
  return {
    id: model.id,
    get state() {
      return model.state;
    },
    get restarts() {
      return model.restarts ?? 0;
    },
    async forecast(windows, signal) {
      const startedAt = clock.monotonic();
      const count = (outcome: 'ok' | 'unavailable') =>
        metrics.forecast(model.id, outcome, (clock.monotonic() - startedAt) / 1000, windows.length);
      try {
        const forecasts = await model.forecast(windows, signal);
        count('ok');
        return forecasts;
      } catch (error) {
        count('unavailable');
        throw error;
      }
    },
    close: () => model.close(),
  };
}
