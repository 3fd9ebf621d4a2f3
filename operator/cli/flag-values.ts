/** How the values of flags are read; a bad one is refused by commander, with the flag's name before it. */
import { InvalidArgumentError } from 'commander';
import { parseDurationMs } from '../duration.ts';
import { type CapacityRule, parseCapacity } from '../simulate/protocol.ts';

/** `--data a b --data c` is a, b and c. */
export function gathered(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

export function listOf<T>(parse: (text: string) => T): (text: string) => readonly T[] {
  return (text) => [...new Set(text.split(',').map((part) => parse(part.trim())))];
}

export function oneOf<T extends string>(names: readonly T[]): (text: string) => T {
  return (text) => {
    const name = names.find((known) => known === text);
    if (name !== undefined) return name;
    throw new InvalidArgumentError(`"${text}" is none of ${names.join(', ')}.`);
  };
}

export function time(text: string): number {
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  throw new InvalidArgumentError(`"${text}" is not a time such as 2026-01-31T08:00:00Z.`);
}

export function duration(text: string): number {
  try {
    return parseDurationMs(text);
  } catch {
    throw new InvalidArgumentError(`"${text}" is not a duration such as 30s or 10m.`);
  }
}

export function share(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`"${text}" is not a number from ${least} to ${most}.`);
  };
}

export function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError(`"${text}" is not a whole number above 0.`);
}

export function capacity(text: string): CapacityRule {
  try {
    return parseCapacity(text);
  } catch {
    throw new InvalidArgumentError(`"${text}" is neither a load above 0 nor of the form p95/20.`);
  }
}

export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`"${text}" is not a whole number from ${least} to ${most}.`);
  };
}
