/**
 * Reads what a Prometheus HTTP API answered. Nothing is believed: a login page is not a number, a warning means that
 * data are missing, a histogram is not a load. Never quotes the answer in an error.
 */
import { ReadError } from '../read-error.ts';
import { apiError } from './http-error.ts';

export interface Sample {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly value: number;
}

export interface Series {
  readonly labels: Readonly<Record<string, unknown>>;
  readonly samples: readonly Sample[];
}

export interface Answer {
  readonly type: 'vector' | 'scalar' | 'matrix';
  readonly series: readonly Series[];
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own property only: a key of untrusted JSON never reaches a prototype. */
function field(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function bad(what: string): ReadError {
  return new ReadError('BadAnswer', `the server's answer ${what}`);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The parser's own message quotes the text, so it is not kept as a cause.
    if (text.trim() === '') throw bad('is empty');
    if (/^\s*</.test(text)) throw bad('is HTML, not JSON: a login page or a proxy stands in front of it');
    throw bad('is not complete JSON');
  }
}

/** The error that a JSON answer carries, whatever its HTTP status. */
export function errorInAnswer(text: string): ReadError | undefined {
  try {
    const root: unknown = JSON.parse(text);
    return isObject(root) && field(root, 'status') === 'error'
      ? apiError(field(root, 'errorType'))
      : undefined;
  } catch {
    return undefined;
  }
}

/** Every sample's value may still be NaN or infinite; use `usable` on it. */
export function parseAnswer(text: string): Answer {
  const root = parseJson(text);
  if (!isObject(root)) throw bad('is not a JSON object');
  const status = field(root, 'status');
  if (status === 'error') throw apiError(field(root, 'errorType')) ?? bad('is an error without a known type');
  if (status !== 'success') throw bad('has no status');
  const warnings = field(root, 'warnings');
  if (Array.isArray(warnings) && warnings.length > 0)
    throw new ReadError('Partial', `the server warns that data may be missing (${warnings.length} warnings)`);
  if (warnings !== undefined && warnings !== null && !Array.isArray(warnings))
    throw bad('has warnings that are not a list');
  if (field(root, 'isPartial') === true)
    throw new ReadError('Partial', 'the server says that its answer is partial');
  const data = field(root, 'data');
  if (!isObject(data)) throw bad('has no data');
  const result = field(data, 'result');
  const type = field(data, 'resultType');
  if (!Array.isArray(result)) throw bad('has no result');
  switch (type) {
    case 'scalar':
      return { type, series: [{ labels: {}, samples: [parseSample(result)] }] };
    case 'vector':
      return { type, series: result.map((item) => parseSeries(item, 'value')) };
    case 'matrix':
      return { type, series: result.map((item) => parseSeries(item, 'values')) };
    default:
      throw bad('is of a type that is not a number');
  }
}

function parseSeries(item: unknown, key: 'value' | 'values'): Series {
  if (!isObject(item)) throw bad('has a series that is not an object');
  const metric = field(item, 'metric');
  if (!isObject(metric)) throw bad('has a series without labels');
  if (field(item, 'histogram') !== undefined || field(item, 'histograms') !== undefined)
    throw bad('holds histograms: use histogram_count or another function that gives a number');
  const value = field(item, key);
  if (!Array.isArray(value)) throw bad('has a series without a value');
  return { labels: metric, samples: key === 'value' ? [parseSample(value)] : value.map(parseSample) };
}

function parseSample(pair: unknown): Sample {
  if (!Array.isArray(pair) || pair.length !== 2) throw bad('has a sample that is not a pair');
  const [seconds, text] = pair as [unknown, unknown];
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || Math.abs(seconds) > 8.64e12)
    throw bad('has a sample without a time');
  if (typeof text !== 'string') throw bad('has a sample whose value is not a string');
  return { atMs: Math.round(seconds * 1000), value: parseFloat64(text) };
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/;

function parseFloat64(text: string): number {
  if (text === 'NaN') return Number.NaN;
  if (/^[+-]?Inf$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (text.length > 400 || !decimal.test(text))
    throw new ReadError('NotANumber', 'a sample of the answer is text, not a number');
  return Number(text);
}

/** Kubernetes counts in 64-bit thousandths; nothing real is larger than this. */
export const largestLoad = 9.2e15;

/** Why a number cannot be a load, or undefined. */
export function unusable(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return 'infinite';
  if (value < 0) return 'negative';
  if (value > largestLoad) return `larger than ${largestLoad}`;
  return undefined;
}

/** Thousandths, to the nearest; a load that is not zero stays so. */
export function toMilli(value: number): number {
  return value === 0 ? 0 : Math.max(1, Math.round(value * 1000));
}
