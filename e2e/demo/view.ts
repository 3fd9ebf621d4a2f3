/** The live view: one screen that is redrawn on a terminal, one line now and then in a log. */
import { demanded, type Tick } from '../../operator/simulate/elasticity.ts';

export interface Frame {
  readonly window: { readonly fromMs: number; readonly toMs: number };
  readonly capacity: number;
  readonly ours: readonly Tick[];
  readonly hpa: readonly Tick[];
  readonly forecast: { readonly median: number; readonly upper: number } | undefined;
  readonly underMinutes: { readonly ours: number; readonly hpa: number };
  readonly why: string;
}

export interface View {
  show(frame: Frame): void;
}

const BARS = ' ▁▂▃▄▅▆▇█';

export function createView(out: NodeJS.WriteStream): View {
  return out.isTTY ? screenView(out) : logView(out);
}

function screenView(out: NodeJS.WriteStream): View {
  let height = 0;
  return {
    show(frame) {
      const lines = render(frame, Math.max(40, Math.min((out.columns ?? 100) - 24, 120)));
      out.write(
        `${height === 0 ? '' : `\x1b[${height}A`}${lines.map((line) => `\x1b[2K${line}\n`).join('')}`,
      );
      height = lines.length;
    },
  };
}

/** Every ten minutes of load time. */
function logView(out: NodeJS.WriteStream): View {
  let next = 0;
  return {
    show(frame) {
      const now = frame.ours.at(-1);
      if (now === undefined || now.atMs < next) return;
      next = now.atMs + 10 * 60_000;
      const hpa = frame.hpa.at(-1);
      const band =
        frame.forecast === undefined
          ? '-'
          : `${frame.forecast.median.toFixed(0)}…${frame.forecast.upper.toFixed(0)}`;
      out.write(
        `${clock(now.atMs)}  load ${String(now.load).padStart(3)}  forecast ${band.padStart(7)}  demanded ${String(demanded(now.load, frame.capacity)).padStart(2)}  ` +
          `ready ours/HPA ${String(now.ready).padStart(2)}/${String(hpa?.ready ?? 0).padStart(2)}  ` +
          `short ours/HPA ${frame.underMinutes.ours.toFixed(1)}/${frame.underMinutes.hpa.toFixed(1)} min\n`,
      );
    },
  };
}

function render(frame: Frame, width: number): string[] {
  const { window, capacity, ours, hpa, forecast, underMinutes, why } = frame;
  const now = ours.at(-1);
  if (now === undefined) return [];
  const share = (now.atMs - window.fromMs) / (window.toMs - window.fromMs);
  const need = ours.map((tick) => demanded(tick.load, capacity));
  const max = Math.max(...need, ...ours.map((t) => t.ready), ...hpa.map((t) => t.ready), 1);
  const row = (name: string, values: readonly number[], colour: number) =>
    `${name.padEnd(18)}\x1b[${colour}m${spark(values, width, max)}\x1b[0m ${String(values.at(-1) ?? 0).padStart(3)}`;
  const band =
    forecast === undefined
      ? 'none yet'
      : `${forecast.median.toFixed(0)} … ${forecast.upper.toFixed(0)} at the lead time`;
  return [
    `${clock(now.atMs)}   ${'━'.repeat(Math.round(share * width))}${'╌'.repeat(Math.max(0, width - Math.round(share * width)))} ${Math.round(share * 100)} %`,
    `load ${now.load}/min   forecast ${band}`,
    row('demanded', need, 37),
    row(
      'PredictiveScaler',
      ours.map((t) => t.ready),
      36,
    ),
    row(
      'real HPA',
      hpa.map((t) => t.ready),
      33,
    ),
    `short of capacity   PredictiveScaler ${underMinutes.ours.toFixed(1)} min   HPA ${underMinutes.hpa.toFixed(1)} min`,
    `last decision       ${why}`.slice(0, width + 22),
  ];
}

/** The newest `width` values, each the largest of what it stands for. */
function spark(values: readonly number[], width: number, max: number): string {
  const per = Math.max(1, Math.ceil(values.length / width));
  let text = '';
  for (let i = 0; i < values.length; i += per) {
    const value = Math.max(...values.slice(i, i + per));
    text += BARS[Math.round((value / max) * (BARS.length - 1))];
  }
  return text.padEnd(width);
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(5, 16).replace('T', ' ');
}
