/**
 * When refusals are answered. One costs about as much as serving a small model, so a server that sends thousands away
 * as fast as they come does nothing else, and whoever it let in waits. Here they get a small share of the time: few
 * refusals go out at once, of a flood each waits for its turn, which also holds back the connection that it came on.
 */
import type { Clock } from '../clock.ts';

/** Of the time, for writing refusals; to read the requests that get them takes several times as much. */
const SHARE = 1 / 32;
/** Written in one go; whoever was let in waits no longer than this for it. */
const SLICE_MS = 0.5;
/** Whoever is refused is told to stay away for a second, so it loses nothing by hearing so within one. */
const LONGEST_MS = 1_000;

export interface Refusals {
  /** Calls `send` in its turn: at once, but in a flood up to a second later. */
  answer(send: () => void): void;
}

interface Waiting {
  readonly at: number;
  readonly send: () => void;
}

export function createRefusals(clock: Clock): Refusals {
  let waiting: Waiting[] = [];
  let head = 0;
  let paused = false;

  const drain = (): void => {
    paused = true;
    const started = clock.monotonic();
    let now = started;
    for (;;) {
      const next = waiting[head];
      if (next === undefined || (now - started >= SLICE_MS && now - next.at < LONGEST_MS)) break;
      head++;
      next.send();
      now = clock.monotonic();
    }
    if (head >= waiting.length / 2) {
      waiting = waiting.slice(head);
      head = 0;
    }
    const spent = now - started;
    if (spent === 0) paused = false;
    else clock.after(spent / SHARE - spent, drain);
  };

  return {
    answer(send) {
      waiting.push({ at: clock.monotonic(), send });
      if (!paused) drain();
    },
  };
}
