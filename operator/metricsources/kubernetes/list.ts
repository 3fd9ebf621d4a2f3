/** Reads what the three metrics APIs have in common: items, times, windows, quantities. Nothing is believed. */
import { parseDurationMs } from '../../duration.ts';
import { parseQuantityMilli } from '../../quantity.ts';
import { ReadError } from '../read-error.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own property only, so a key of untrusted JSON never reaches a prototype. */
export function field(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

export function badAnswer(api: string, what: string): ReadError {
  return new ReadError('BadAnswer', `${api} sent ${what}`);
}

/** `items` of a list; an absent list is empty, as Go reads it. */
export function itemsOf(answer: unknown, api: string): readonly JsonObject[] {
  if (!isObject(answer)) throw badAnswer(api, 'something that is not an object');
  const items = field(answer, 'items') ?? [];
  if (!Array.isArray(items) || !items.every(isObject)) throw badAnswer(api, 'a list without items');
  return items;
}

export function textOf(object: JsonObject, name: string, api: string): string {
  const value = field(object, name);
  if (typeof value !== 'string' || value === '') throw badAnswer(api, `an item without ${name}`);
  return value;
}

/** Milliseconds since the epoch; `nowMs` when the server does not say (Go's zero time). */
export function timeOf(object: JsonObject, nowMs: number, api: string): number {
  const value = field(object, 'timestamp') ?? null;
  if (value === null) return nowMs;
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw badAnswer(api, 'a timestamp that is not a time');
  return ms <= 0 ? nowMs : ms;
}

/** A duration such as `30s`; 0 when absent. */
export function windowOf(object: JsonObject, api: string): number {
  const value = field(object, 'window') ?? null;
  if (value === null) return 0;
  try {
    if (typeof value === 'string') return parseDurationMs(value);
  } catch {
    // Reported below: the value itself is not repeated.
  }
  throw badAnswer(api, 'a window that is not a duration');
}

/** Thousandths. Throws NotANumber, also for a negative one: no load is below zero. */
export function quantityOf(value: unknown, api: string): number {
  let milli: number;
  try {
    if (typeof value !== 'string' && typeof value !== 'number')
      throw badAnswer(api, 'an item without a value');
    milli = parseQuantityMilli(value);
  } catch (error) {
    if (error instanceof ReadError) throw error;
    throw new ReadError('NotANumber', `${api} sent a value that is not a quantity`);
  }
  if (milli < 0) throw new ReadError('NotANumber', `${api} sent a negative value`);
  return milli;
}
