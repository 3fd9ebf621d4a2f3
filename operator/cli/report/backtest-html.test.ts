import { describe, expect, test } from '@jest/globals';
import type { BacktestReport, FrontierCell } from '../../simulate/report-types.ts';
import { backtestHtml } from './backtest-html.ts';
import { headline } from './headline.ts';
import { madeUpReport, madeUpSeries, result } from './testing/report.ts';

const COMMAND = 'foresail backtest --data wave.csv';

function countOf(html: string, part: string): number {
  return html.split(part).length - 1;
}

describe('the page of a backtest', () => {
  const asked = { traces: ['wave', 'tide'], startUps: [30, 120] };
  const html = backtestHtml(madeUpReport(asked), madeUpSeries(asked), COMMAND);

  test('is one file: no script, nothing to load', () => {
    expect(html.startsWith('<!doctype html>')).toBe(true);
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/<script|<link|<img|@import|url\(|\son\w+=/i);
    expect(html.match(/https?:\/\/[^"' <]+/g)?.every((url) => url === 'http://www.w3.org/2000/svg')).toBe(
      true,
    );
  });

  test('has a frontier per trace and a chart per trace and start-up time', () => {
    expect(countOf(html, '<svg ')).toBe(2 + 4);
    expect(countOf(html, 'what the same time short costs</text>')).toBe(2);
    expect(countOf(html, 'Time with fewer replicas ready than demanded')).toBe(4);
  });

  test('says first what was gained, and how it was made last', () => {
    expect(html).toMatch(
      /<h1>At the same time short, Foresail is \d+ % cheaper than HPA tuned in hindsight \(worst: (wave|tide), \d+ % cheaper\)<\/h1>/,
    );
    expect(html).toContain('60 % less time short (2.7 h against 6.7 h) at +5.0 % replica-hours');
    expect(html).toContain(`<code>${COMMAND}</code>`);
    expect(html).toContain('loadcast 1 (sha256:0123)');
  });

  test('shows each number of each result', () => {
    const own = backtestHtml(
      {
        ...madeUpReport(),
        results: [result({ underProvisionedMinutes: 123.4, replicaHours: 6789, tauU: 0.037, eps: 1.25 })],
      },
      [],
      COMMAND,
    );
    for (const number of ['123.4', '6,789', '0.037 %', '1.25']) expect(own).toContain(`<td>${number}</td>`);
  });

  test('draws no value that is not a number', () => {
    expect(html).not.toMatch(/NaN|Infinity|undefined|\[object/);
  });
});

test('a name of a trace is text, whatever it says', () => {
  const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&`;
  const asked = { traces: [evil] };
  const report = madeUpReport(asked);
  const skipped = [{ trace: evil, reason: evil }];
  const html = backtestHtml(
    { ...report, skipped },
    madeUpSeries(asked),
    `foresail backtest --data '${evil}'`,
  );
  expect(html).not.toContain('<script');
  expect(html).not.toContain('<img');
  expect(html).not.toMatch(/="[^"]*"><script/);
  expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
});

test('a cell that no setting reaches is said to be so, never a number', () => {
  const report = madeUpReport();
  const frontier = (report.frontier ?? []).map(
    (cell): FrontierCell => ({ ...cell, hpaReplicaHoursAtSameTauU: null, ratio: null }),
  );
  const frontierAggregate = (report.frontierAggregate ?? []).map((line) => ({
    ...line,
    ratio: null,
    worstTrace: null,
    worstRatio: null,
    traces: 0,
    hpaUnreachable: 1,
  }));
  const html = backtestHtml({ ...report, frontier, frontierAggregate }, [], COMMAND);
  expect(html).toContain('<td>not reachable</td>');
  expect(html).not.toContain('>null<');
  expect(headline({ ...report, frontier }).first).toContain('No comparison at equal time short was possible');
});

test('an empty report says that it is empty', () => {
  const empty: BacktestReport = {
    ...madeUpReport({ traces: [] }),
    skipped: [{ trace: 'short', reason: 'too short' }],
  };
  const html = backtestHtml(empty, [], COMMAND);
  expect(html).toContain('<h1>Nothing to compare');
  expect(html).toContain('too short');
  expect(html).not.toMatch(/NaN|undefined/);
});

test('a report without frontier and without charts still has its numbers', () => {
  const { frontier, frontierAggregate, frontierDefault, frontierDefaultAggregate, frontierSweeps, ...rest } =
    madeUpReport();
  const html = backtestHtml(rest, [], COMMAND);
  expect(html).not.toContain('<svg');
  expect(html).toContain('<h1>Availability against HPA at the same target: 60 % less time short');
  expect([
    frontier,
    frontierAggregate,
    frontierDefault,
    frontierDefaultAggregate,
    frontierSweeps,
  ]).not.toContain(undefined);
});
