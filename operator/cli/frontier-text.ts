/** The frontier for the terminal: each comparison in a line, then the means, and ours as it comes out of the box. */
import type { BacktestReport } from '../simulate/report-types.ts';
import { percent, reachable, saving } from './report/numbers.ts';
import { table } from './text-table.ts';

/** Empty when the frontier was not asked for. */
export function frontierText(report: BacktestReport): string {
  const {
    frontier = [],
    frontierAggregate = [],
    frontierDefault = [],
    frontierDefaultAggregate = [],
  } = report;
  const blocks = [
    table(
      ['trace', 'start-up', 'tau_U', 'compared at', 'repl·h', 'tuned hpa', 'change'],
      frontier.map((cell) => [
        cell.trace,
        `${cell.startUpSeconds} s`,
        percent(cell.tauU),
        percent(cell.comparedAtTauU),
        reachable(cell.replicaHours, 0),
        reachable(cell.hpaReplicaHoursAtSameTauU, 0),
        saving(cell.ratio),
      ]),
    ),
    table(
      ['at equal tau_U', 'tau_U', 'vs tuned hpa', 'worst trace', 'hpa not reachable', 'ours not reachable'],
      frontierAggregate.map((line) => [
        `${line.startUpSeconds} s (${line.traces})`,
        percent(line.tauU),
        saving(line.ratio),
        worst(line.worstTrace, line.worstRatio),
        String(line.hpaUnreachable),
        String(line.oursUnreachable),
      ]),
    ),
    table(
      ['trace', 'start-up', 'default coverage', 'tau_U', 'repl·h', 'tuned hpa', 'change'],
      frontierDefault.map((cell) => [
        cell.trace,
        `${cell.startUpSeconds} s`,
        String(cell.coverage),
        percent(cell.tauU),
        reachable(cell.replicaHours, 0),
        reachable(cell.hpaReplicaHoursAtSameTauU, 0),
        saving(cell.ratio),
      ]),
    ),
    table(
      ['default coverage', 'vs tuned hpa', 'worst trace', 'hpa not reachable', 'hpa never as short'],
      frontierDefaultAggregate.map((line) => [
        `${line.startUpSeconds} s (${line.traces})`,
        saving(line.ratio),
        worst(line.worstTrace, line.worstRatio),
        String(line.hpaUnreachable),
        String(line.hpaNeverAsShort),
      ]),
    ),
  ].filter((block) => block !== '');
  return blocks.length === 0 ? '' : `\n${blocks.join('\n\n')}\n`;
}

function worst(trace: string | null, ratio: number | null): string {
  return trace === null ? '-' : `${saving(ratio)} ${trace}`;
}
