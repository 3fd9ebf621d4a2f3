import { expect, test } from '@jest/globals';
import { evaluationHtml } from './evaluation-html.ts';
import { accuracyOf, madeUpEvaluation, scoreOf } from './testing/evaluation.ts';

const COMMAND = 'foresail evaluate --data wave.csv';

test('says who is best most often, and per horizon by how much and against whom, best first', () => {
  const html = evaluationHtml(madeUpEvaluation(), COMMAND);
  expect(html).toContain(
    '<h1>loadcast forecasts best at 2 of 2 horizons: 0.46 to 0.52 of seasonal naive&#39;s quantile loss</h1>',
  );
  expect(html).toContain(
    '15 min ahead, 12 series: loadcast 0.460 (point forecast 0.740); next seasonal-naive 1.000; worst on burst, 1.08',
  );
  expect(html).toContain('60 min ahead, 12 series: loadcast 0.520');
  const rows = html.match(/<tr><td class="text">[\w-]+<\/td><td>15 min<\/td>/g) ?? [];
  expect(rows[0]).toContain('loadcast');
});

test('a calibrated band is no rival of the forecast that it belongs to', () => {
  const { aggregate } = madeUpEvaluation();
  const band = accuracyOf({ model: 'loadcast+calibrated', relWql: 0.459 });
  const html = evaluationHtml(madeUpEvaluation({ aggregate: [...aggregate, band] }), COMMAND);
  expect(html).toContain('<h1>loadcast forecasts best at 2 of 2 horizons');
  expect(html).toContain('next seasonal-naive 1.000');
  // It stands where coverage is told.
  expect(html.split('<td class="text">loadcast+calibrated</td>')).toHaveLength(2);
});

test('a series that failed is named first', () => {
  const html = evaluationHtml(madeUpEvaluation({ failed: [{ series: 'web', reason: 'it died' }] }), COMMAND);
  expect(html).toContain('Not the whole of it: 1 series without results, web');
  expect(html).toContain('it died');
});

test('draws accuracy and calibration, with an arrow where a dot lies beyond the chart', () => {
  const html = evaluationHtml(madeUpEvaluation(), COMMAND);
  expect(html.split('<svg ')).toHaveLength(3);
  // Asked 0.9, realised 0.7 is twenty points off.
  expect(html.match(/◀<\/text>/g)).toHaveLength(2);
  expect(html).toContain('Realised minus asked coverage, points');
  expect(html).not.toMatch(/NaN|undefined|<script|https?:\/\/(?!www\.w3\.org)/);
});

test('shows what was left out and why, and text as text', () => {
  const html = evaluationHtml(
    madeUpEvaluation({
      results: [scoreOf({ series: '<script>x</script>', leftOut: 'trained on it' })],
      skipped: [{ series: 'short', reason: 'fewer than <14> days' }],
    }),
    COMMAND,
  );
  expect(html).toContain('&lt;script&gt;x&lt;/script&gt;');
  expect(html).toContain('trained on it');
  expect(html).toContain('fewer than &lt;14&gt; days');
  expect(html).not.toContain('<script');
});

test('numbers that cannot be told are dashes, and an empty evaluation says so', () => {
  const unknown = evaluationHtml(
    madeUpEvaluation({
      aggregate: [accuracyOf({ relMase: null, relWql: null, worstSeries: null, coverage: {} })],
    }),
    COMMAND,
  );
  expect(unknown).toContain('<td>–</td>');
  expect(unknown).not.toMatch(/NaN|null/);
  const empty = evaluationHtml(
    madeUpEvaluation({ results: [], aggregate: [], speed: [], models: [] }),
    COMMAND,
  );
  expect(empty).toContain('<h1>Nothing to compare');
  expect(empty).not.toContain('<svg');
});
