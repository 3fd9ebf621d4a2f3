/** The tables of the chart's README, from the same schemas as values.schema.json. */
import { z } from 'zod';
import { operatorConfigSchema } from '../../operator/config.ts';
import { chartValuesSchema } from './values.ts';

type Values = Readonly<Record<string, unknown>>;

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
}

/** `values` is the parsed values.yaml, where the defaults stand. */
export function valuesTable(values: Values): string {
  const { properties = {} } = z.toJSONSchema(chartValuesSchema, { io: 'input' }) as Schema;
  const rows = Object.entries(properties)
    .filter(([key]) => key !== 'global' && key !== 'config')
    .flatMap(([key, schema]) => describedRows(key, schema, values[key]));
  return table(['key', 'default', 'meaning'], rows);
}

function describedRows(path: string, schema: Schema, value: unknown): string[][] {
  if (schema.description !== undefined)
    return [[code(path), code(JSON.stringify(value ?? null)), schema.description]];
  return Object.entries(schema.properties ?? {}).flatMap(([key, part]) =>
    describedRows(`${path}.${key}`, part, (value as Values | undefined)?.[key]),
  );
}

/** Every key of the operator's configuration with the operator's own default. */
export function configTable(): string {
  const schema = z.toJSONSchema(operatorConfigSchema, { io: 'input' }) as Schema;
  return table(['key', 'default'], configRows('config', schema));
}

function configRows(path: string, schema: Schema): string[][] {
  const inner = schema.properties ?? schema.items?.properties;
  if (inner === undefined) {
    const shown = schema.default === undefined ? (schema.enum?.join(' or ') ?? schema.type ?? '') : undefined;
    return [[code(path), shown === undefined ? code(JSON.stringify(schema.default)) : `none (${shown})`]];
  }
  const here = schema.properties === undefined ? `${path}[]` : path;
  return Object.entries(inner).flatMap(([key, part]) => configRows(`${here}.${key}`, part));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Puts each table between its two marks. */
export function withTables(readme: string, tables: Readonly<Record<string, string>>): string {
  let text = readme;
  for (const [name, content] of Object.entries(tables)) {
    const [begin, end] = [`<!-- begin: ${name} -->`, `<!-- end: ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`README.md has no place for the table "${name}"`);
    text = `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
  }
  return text;
}
