/** A registry for a terminal. */
import { differencesOf, type Fact } from '../registry/compare.ts';
import { aliasesOf, type ModelIndex, versionOf } from '../registry/model-index.ts';
import { factsOf } from '../registry/version-entry.ts';
import { table } from './text-table.ts';

/** The score that a version is known by: its loss to that of the one before it. */
const HEADLINE = 'lossVsIncumbent';

/** Newest first. */
export function listText(index: ModelIndex): string {
  const rows = index.versions
    .toSorted((a, b) => b.version - a.version)
    .map((one) => {
      const { scores, tags } = factsOf(one);
      return [
        String(one.version),
        aliasesOf(index, one.version).join(', '),
        one.sha256.slice(0, 12),
        one.createdAt ?? '',
        said(scores[HEADLINE] ?? scores['lossVsNaive']),
        pairs(tags),
        one.storageUri,
      ];
    });
  return rows.length === 0
    ? 'no version yet'
    : table(['VERSION', 'ALIASES', 'SHA256', 'CREATED', 'SCORE', 'TAGS', 'URI'], rows);
}

/** @throws REGISTRY_INVALID when there is no such version */
export function showText(index: ModelIndex, version: number): string {
  const one = versionOf(index, version);
  const { tags, lineage, scores, lineageUri } = factsOf(one);
  const facts: [string, string][] = [
    ['version', String(version)],
    ['aliases', aliasesOf(index, version).join(', ')],
    ['created', one.createdAt ?? ''],
    ['file', one.storageUri],
    ['sha256', one.sha256],
    ['tags', pairs(tags)],
    ['lineage', lineageUri ?? ''],
    ...Object.entries(lineage).map(([name, value]): [string, string] => [`  ${name}`, said(value)]),
    ['scores', Object.keys(scores).length === 0 ? 'none' : ''],
    ...Object.entries(scores).map(([name, value]): [string, string] => [`  ${name}`, said(value)]),
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd()).join('\n');
}

/** @throws REGISTRY_INVALID when there is no such version */
export function diffText(index: ModelIndex, before: number, after: number): string {
  const lines = differencesOf(versionOf(index, before), versionOf(index, after));
  if (lines.length === 0) return 'nothing is known that differs';
  return table(
    ['PART', 'NAME', `VERSION ${before}`, `VERSION ${after}`, 'CHANGE'],
    lines.map((line) => [line.part, line.name, said(line.before), said(line.after), percent(line.change)]),
  );
}

function pairs(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

/** Digests and times are cut to what tells them apart. */
function said(value: Fact | undefined): string {
  if (value === undefined || value === null) return '-';
  if (typeof value === 'number')
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  return /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value;
}

function percent(change: number | undefined): string {
  if (change === undefined) return '';
  return `${change > 0 ? '+' : ''}${(100 * change).toFixed(1)} %`;
}
