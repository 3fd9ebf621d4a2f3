/** A gate's report for a terminal. */
import { styleText } from 'node:util';
import type { GateReport } from '../gate/report.ts';
import type { Figures } from '../gate/types.ts';
import { table } from './text-table.ts';

/** @param colours for a terminal; without them the words say the same */
export function gateText(report: GateReport, colours: boolean): string {
  const { candidate, incumbent, verdict, failed, gates, scores, published, settings } = report;
  const named = (file: GateReport['candidate']): string =>
    `${[file.name, file.version].filter((part) => part !== null).join(' ')} (${file.sha256.slice(0, 12)})`.trimStart();
  const head = [
    `candidate ${named(candidate)} against ${incumbent === null ? 'seasonal naive' : named(incumbent)}`,
    `test part from ${settings.validateEnd}, asked improvement ${(100 * settings.minImprovement).toFixed(1)} %`,
    scores === null ? 'no window could be scored' : `${scores.windows} windows of ${scores.series} series`,
  ].join('\n');
  const rows = gates.map(({ name, verdict: own, message }) => [name, own, message]);
  const figures = gates.flatMap(({ name, measured, required }) =>
    Object.entries(measured).map(([figure, value]) => [name, figure, digits(value), asked(required, figure)]),
  );
  const end = verdict === 'Pass' ? 'PASS' : `FAIL: ${failed.join(', ')}`;
  const parts = [
    head,
    table(['gate', 'verdict', 'why'], rows),
    table(['gate', 'figure', 'measured', 'asked'], figures),
    [end, ...(published === null ? [] : [`published: ${published.storageUri}`])].join('\n'),
  ];
  const text = parts.join('\n\n');
  return colours ? coloured(text) : text;
}

function coloured(text: string): string {
  return text
    .replaceAll(/^(\w+ +)(Pass)\b/gm, (_, name: string, word: string) => name + styleText('green', word))
    .replaceAll(/^(\w+ +)(Fail)\b/gm, (_, name: string, word: string) => name + styleText('red', word))
    .replaceAll(/^(\w+ +)(Skip)\b/gm, (_, name: string, word: string) => name + styleText('yellow', word))
    .replace(/^PASS$/m, (word) => styleText(['bold', 'green'], word))
    .replace(/^FAIL: .*$/m, (word) => styleText(['bold', 'red'], word));
}

function asked(required: Figures, figure: string): string {
  const value = required[figure];
  return value === undefined ? '' : digits(value);
}

function digits(value: number | null): string {
  if (value === null) return '-';
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}
