import { expect, test } from '@jest/globals';
import { isNamedBy } from './trained.ts';

test.each([
  ['nasa_http_1995_07_1m', ['nasa_http_1995_07_1m'], true],
  ['nasa_http_1995_07_1m', ['nasa_http'], true],
  ['panel/vm7', ['panel'], true],
  ['NASA_http', ['nasa'], true],
  ['nasal_spray', ['nasa'], false],
  ['nasa', ['nasa_http'], false],
  ['nab_elb_requests_5m', ['nab_rest'], true],
  ['made_1', ['made_2'], false],
  ['made_1', [''], false],
  ['made_1', [], false],
])('%s among %j: %s', (series, sources, named) => {
  expect(isNamedBy(series, sources)).toBe(named);
});
