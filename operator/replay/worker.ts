/**
 * The thread that replays pasts: seconds of arithmetic per scaler, which must not stand in the way of a decision. Models
 * stay on the other side; their forecasts are asked for batch by batch.
 */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import { FORECASTERS } from '../forecast/registry.ts';
import type { Forecaster, QuantileForecast } from '../forecast/types.ts';
import { replay } from '../simulate/replay.ts';
import type { FromWorker, ReplayJob, ToWorker } from './messages.ts';

const port = parentPort;
if (port === null) throw new Error('this file is the start of a thread');

const calls = new Map<number, PromiseWithResolvers<readonly QuantileForecast[]>>();
let lastCall = 0;

function say(message: FromWorker): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  port?.postMessage(message);
}

function modelOnTheOtherSide(id: string): Forecaster {
  return {
    id,
    forecast(windows) {
      lastCall += 1;
      const answer = Promise.withResolvers<readonly QuantileForecast[]>();
      calls.set(lastCall, answer);
      say({
        kind: 'ask',
        call: lastCall,
        model: id,
        windows: windows.map(({ past: _, ...window }) => window),
      });
      return answer.promise;
    },
  };
}

function forecastersOf({ forecasters }: ReplayJob, models: readonly string[]): Forecaster[] {
  return forecasters.flatMap((id) => {
    if (models.includes(id)) return [modelOnTheOtherSide(id)];
    const entry = FORECASTERS.find((one) => one.id === id);
    return entry === undefined ? [] : [entry.create()];
  });
}

async function run({ id, job, models }: Extract<ToWorker, { kind: 'replay' }>): Promise<void> {
  try {
    const { signal } = new AbortController();
    say({ kind: 'replayed', id, replay: await replay(job, forecastersOf(job, models), signal) });
  } catch (error) {
    say({ kind: 'failed', id, message: messageOf(error) });
  }
}

port.on('message', (message: ToWorker) => {
  if (message.kind === 'replay') {
    void run(message);
    return;
  }
  const answer = calls.get(message.call);
  calls.delete(message.call);
  if (message.kind === 'forecasts') answer?.resolve(message.forecasts);
  else answer?.reject(new Error(message.message));
});
