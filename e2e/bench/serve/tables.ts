/** The report as markdown: per cell ours and each peer's, with the ratios that matter first. */
import { quantile, ratio, short } from '../numbers.ts';
import type { CellRow, ColdStartRow, OverloadRow, Plan, SweepRow } from './bench.ts';
import { FORESAIL, settingsText } from './contenders.ts';
import { MODELS } from './models.ts';

export interface Measured {
  readonly versions: Readonly<Record<string, string>>;
  readonly sweep: readonly SweepRow[];
  readonly cells: readonly CellRow[];
  readonly overload: readonly OverloadRow[];
  readonly coldStarts: readonly ColdStartRow[];
  readonly failures: readonly string[];
}

export function serveTables(plan: Plan, measured: Measured): string {
  const { versions, sweep, cells, overload, coldStarts, failures } = measured;
  return [
    Object.entries(versions)
      .map(([name, version]) => `- ${name}: ${version}`)
      .join('\n'),
    ...plan.models.map((model) =>
      cellTable(
        titleOf(model),
        cells.filter((cell) => cell.model === model),
      ),
    ),
    ...(overload.length === 0 ? [] : [overloadTable(overload)]),
    coldStartTable(coldStarts),
    ...(sweep.length === 0 ? [] : [sweepTable(plan, sweep)]),
    scoreLine(cells),
    ...(failures.length === 0 ? [] : [`Failed:\n${failures.map((text) => `- ${text}`).join('\n')}`]),
  ].join('\n\n');
}

/** A row per server; ratios are ours by theirs: above 1 more throughput, below 1 less latency, CPU and memory. */
function cellTable(title: string, cells: readonly CellRow[]): string {
  const body = cells.map((cell) => {
    const { wire, clients, contender, figures } = cell;
    const ours = cells.find(
      (other) => other.contender === FORESAIL.name && other.wire === wire && other.clients === clients,
    )?.figures;
    const against = (of: (f: CellRow['figures']) => number) =>
      contender === FORESAIL.name || ours === undefined ? '' : ratio(of(ours), of(figures));
    return [
      wire,
      String(clients),
      contender,
      short(figures.requestsPerSecond),
      short(figures.p50Ms),
      short(figures.p99Ms),
      short(figures.cpuSecondsPer1000),
      short(figures.rssMiB),
      figures.failed === 0 ? '0' : `${short(100 * figures.failed)} %`,
      against((f) => f.requestsPerSecond),
      against((f) => f.p99Ms),
      against((f) => f.cpuSecondsPer1000),
    ];
  });
  return markdown(title, [
    [
      'wire',
      'clients',
      'server',
      'requests/s',
      'p50 ms',
      'p99 ms',
      'CPU s per 1,000',
      'RSS MiB',
      'failed',
      'ours / its: requests/s',
      'p99',
      'CPU',
    ],
    ...body,
  ]);
}

function overloadTable(rows: readonly OverloadRow[]): string {
  return markdown('Four times the load that it can answer (HTTP JSON, open loop)', [
    [
      'model',
      'server',
      'capacity/s',
      'p99 ms at capacity',
      'offered/s',
      'admitted/s',
      'p99 ms of admitted',
      'ratio of p99',
      'refused',
      'with Retry-After',
      'not sent: all connections waiting',
    ],
    ...rows.map((row) => [
      titleOf(row.model),
      row.contender,
      short(row.capacity.requestsPerSecond),
      short(row.capacity.p99Ms),
      short(row.offeredPerSecond),
      short(row.overload.requestsPerSecond),
      short(row.overload.p99Ms),
      ratio(row.overload.p99Ms, row.capacity.p99Ms),
      refusals(row),
      Number.isNaN(row.retryAfter) ? '' : `${Math.round(100 * row.retryAfter)} %`,
      short(row.unsent),
    ]),
  ]);
}

function refusals({ overload: { statuses } }: OverloadRow): string {
  const others = Object.entries(statuses).filter(([status]) => status !== 'ok');
  return others.length === 0 ? '0' : others.map(([status, count]) => `${count} × ${status}`).join(', ');
}

function coldStartTable(rows: readonly ColdStartRow[]): string {
  return markdown('From the start of the process to ready, all models loaded', [
    ['server', 'median s', 'slowest s', 'starts'],
    ...rows.map(({ contender, seconds }) => [
      contender,
      short(quantile(seconds, 0.5)),
      short(Math.max(...seconds)),
      String(seconds.length),
    ]),
  ]);
}

/** Requests per second of every setting that was tried; the one that was kept is bold. */
function sweepTable({ models, clients }: Plan, rows: readonly SweepRow[]): string {
  const points = models.flatMap((model) => clients.map((count) => ({ model, count })));
  const lines = new Map<string, SweepRow[]>();
  for (const row of rows) {
    const key = `${row.contender}|${settingsText(row.settings)}`;
    lines.set(key, [...(lines.get(key) ?? []), row]);
  }
  return markdown(
    'Settings tried, requests/s on HTTP JSON (bold: kept for this model and number of clients)',
    [
      ['server', 'settings', ...points.map(({ model, count }) => `${model}, ${count}`)],
      ...[...lines].map(([key, own]) => [
        ...key.split('|'),
        ...points.map(({ model, count }) => {
          const row = own.find((one) => one.model === model && one.clients === count);
          if (row === undefined || Number.isNaN(row.requestsPerSecond)) return 'failed';
          return row.best ? `**${short(row.requestsPerSecond)}**` : short(row.requestsPerSecond);
        }),
      ]),
    ],
  );
}

/** At how many points we are ahead of a peer in both. */
function scoreLine(cells: readonly CellRow[]): string {
  const ours = cells.filter(({ contender }) => contender === FORESAIL.name);
  const pairs = cells
    .filter(({ contender }) => contender !== FORESAIL.name)
    .flatMap((theirs) => {
      const own = ours.find(
        ({ model, wire, clients }) =>
          model === theirs.model && wire === theirs.wire && clients === theirs.clients,
      );
      return own === undefined ? [] : [{ own: own.figures, theirs }];
    });
  const faster = pairs.filter(({ own, theirs }) => own.requestsPerSecond > theirs.figures.requestsPerSecond);
  const behind = pairs.filter(
    ({ own, theirs }) =>
      own.requestsPerSecond <= theirs.figures.requestsPerSecond || own.p99Ms > theirs.figures.p99Ms,
  );
  const named = behind.map(
    ({ own, theirs: { model, wire, clients, contender, figures } }) =>
      `- ${titleOf(model)}, ${wire}, ${clients} clients, ${contender}: ` +
      `requests/s ${ratio(own.requestsPerSecond, figures.requestsPerSecond)}, p99 ${ratio(own.p99Ms, figures.p99Ms)}`,
  );
  const head = `Of ${pairs.length} pairs Foresail has more throughput in ${faster.length}, and no worse p99 with it in ${pairs.length - behind.length}.`;
  return named.length === 0 ? head : `${head} Behind in one of them (ours / its):\n${named.join('\n')}`;
}

function titleOf(model: string): string {
  return MODELS.find(({ name }) => name === model)?.title ?? model;
}

function markdown(title: string, rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [`### ${title}`, '', line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}
