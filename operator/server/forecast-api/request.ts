/** A forecast request in KServe's shape, read with limits. A value of a series that is not known is `null`. */
import { invalid } from '../core/errors.ts';
import { unsupported } from '../wire/errors.ts';
import { own, readList, readModelName, readName, readObject } from '../wire/fields.ts';
import { type Frequency, readFrequency } from './frequency.ts';

export interface Series {
  readonly name: string;
  /** Oldest first; NaN = unknown. */
  readonly values: Float64Array;
  /** As it was asked, for the answer. */
  readonly frequencyText: string;
  readonly frequency: Frequency;
  /** Start of the first value's step; undefined when the caller did not say. */
  readonly startMs: number | undefined;
}

export interface ForecastRequest {
  readonly model: string;
  readonly series: readonly Series[];
  readonly horizon: number;
  /** As asked, in that order. */
  readonly quantiles: readonly number[];
}

/** They run as one batch. */
const MOST_SERIES = 256;
const MOST_VALUES = 1_000_000;
const MOST_QUANTILES = 101;

/** @throws INPUT_INVALID that names the field, UNSUPPORTED */
export function readForecastRequest(json: unknown): ForecastRequest {
  const body = readObject(json, 'the body');
  const options = readObject(own(body, 'options'), 'options');
  const horizon = own(options, 'horizon');
  if (typeof horizon !== 'number' || !Number.isInteger(horizon) || horizon < 1)
    throw invalid('options.horizon', 'options.horizon is not a whole number of at least 1');
  const inputs = readList(own(body, 'inputs'), 'inputs', MOST_SERIES);
  if (inputs.length === 0) throw invalid('inputs', 'inputs is empty');
  return {
    model: readModelName(own(body, 'model'), 'model'),
    series: inputs.map(readSeries),
    horizon,
    quantiles: readList(own(options, 'quantiles') ?? [], 'options.quantiles', MOST_QUANTILES).map(
      (level, i) => {
        if (typeof level === 'number' && level > 0 && level < 1) return level;
        throw invalid('options.quantiles', `options.quantiles[${i}] is not between 0 and 1`);
      },
    ),
  };
}

function readSeries(item: unknown, i: number): Series {
  const field = `inputs[${i}]`;
  const input = readObject(item, field);
  const type = own(input, 'type');
  if (type === 'multivariate_time_series')
    throw unsupported(`${field}.type: only univariate_time_series is forecast`);
  if (type !== 'univariate_time_series')
    throw invalid(`${field}.type`, `${field}.type is not univariate_time_series`);
  const frequency = readFrequency(own(input, 'frequency'), `${field}.frequency`);
  return {
    name: readName(own(input, 'name'), `${field}.name`),
    values: readValues(own(input, 'series'), `${field}.series`),
    frequencyText: own(input, 'frequency') as string,
    frequency,
    startMs: readStart(own(input, 'start_timestamp'), `${field}.start_timestamp`),
  };
}

function readValues(value: unknown, field: string): Float64Array {
  const list = readList(value, field, MOST_VALUES);
  if (list.every((item) => item === null)) throw invalid(field, `${field} has no known value`);
  return Float64Array.from(list, (item, i) => {
    if (item === null) return Number.NaN;
    // The models compute in 32 bits.
    if (typeof item === 'number' && Number.isFinite(Math.fround(item))) return item;
    throw invalid(field, `${field}[${i}] is neither a number in range nor null`);
  });
}

/** ISO 8601 with its date and time; without an offset it is UTC. */
const INSTANT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$/;

function readStart(value: unknown, field: string): number | undefined {
  if (value === undefined) return undefined;
  const text = typeof value === 'string' ? value : '';
  const parts = INSTANT.exec(text);
  const ms = parts === null ? Number.NaN : Date.parse(parts[3] === undefined ? `${text}Z` : text);
  if (Number.isNaN(ms)) throw invalid(field, `${field} is not a time such as 2026-11-21T08:00:00Z`);
  return ms;
}
