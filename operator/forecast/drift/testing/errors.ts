/** Streams of forecast errors in widths of the band, as the monitor sees them: one every five minutes, seeded. */
import { gaussian, seeded } from '../../testing/series.ts';
import { DriftMonitor } from '../monitor.ts';
import { type Alarm, noteAlarm } from './alarms.ts';

const MINUTE = 60_000;
export const PER_DAY = 288;
/** A normal error whose 90th percentile is one width. */
const SPREAD = 0.78;

type Draw = (i: number) => number;

const KINDS = {
  independent: (normal) => () => normal(),
  'clinging, AR(1) 0.5': (normal) => {
    let state = 0;
    return () => {
      state = 0.5 * state + Math.sqrt(0.75) * normal();
      return state;
    };
  },
  'clinging, AR(1) 0.9': (normal) => {
    let state = 0;
    return () => {
      state = 0.9 * state + Math.sqrt(0.19) * normal();
      return state;
    };
  },
  'three times as large at noon': (normal) => {
    return (i) => (1 + Math.sin((2 * Math.PI * i) / PER_DAY) / 2) * normal();
  },
  'half as large at weekends': (normal) => {
    return (i) => (Math.floor(i / PER_DAY) % 7 >= 5 ? 0.5 : 1) * normal();
  },
  'heavy tails': (normal) => {
    return () => normal() / Math.sqrt((normal() ** 2 + normal() ** 2 + normal() ** 2) / 3);
  },
} satisfies Readonly<Record<string, (normal: () => number) => Draw>>;

export type ErrorKind = keyof typeof KINDS;
export const ERROR_KINDS = Object.keys(KINDS) as readonly ErrorKind[];

export interface ErrorChange {
  readonly at: number;
  readonly factor?: number;
  readonly bias?: number;
}

/** @returns alarms in minutes since the first error */
export function watchErrors(
  kind: ErrorKind,
  count: number,
  seed: number,
  change?: ErrorChange,
): readonly Alarm[] {
  const draw: Draw = KINDS[kind](gaussian(seeded(seed)));
  const monitor = new DriftMonitor();
  const alarms: Alarm[] = [];
  for (let i = 0; i < count; i++) {
    const { factor = 1, bias = 0 } = change !== undefined && i >= change.at ? change : {};
    monitor.observe(i * 5 * MINUTE, SPREAD * factor * draw(i) + bias);
    noteAlarm(alarms, monitor.report(), i * 5);
  }
  return alarms;
}
