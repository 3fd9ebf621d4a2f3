/**
 * The decision room with one wrong detail each: its sources are copied, one expression is replaced, and the copy is
 * loaded. A comparison that does not notice them proves nothing.
 */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Judge } from './judge.ts';

export interface Mutation {
  readonly name: string;
  /** Below operator/decision. */
  readonly file: string;
  readonly replace: string;
  readonly by: string;
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'a tolerance of 15 % upwards',
    file: 'reactive/tolerance.ts',
    replace: 'ratio <= 1 + up',
    by: 'ratio <= 1 + 1.5 * up',
  },
  {
    name: 'a tolerance of 5 % downwards',
    file: 'reactive/tolerance.ts',
    replace: '1 - down <= ratio',
    by: '1 - 0.5 * down <= ratio',
  },
  {
    name: 'replicas rounded to the nearest',
    file: 'reactive/whole-numbers.ts',
    replace: 'Math.ceil(count)',
    by: 'Math.round(count)',
  },
  {
    name: 'a percentage rounded down',
    file: 'behavior/policies.ts',
    replace: 'Math.ceil(start',
    by: 'Math.floor(start',
  },
  {
    name: 'half the window without behaviour',
    file: 'behavior/normalise.ts',
    replace: 'nowMs - windowMs',
    by: 'nowMs - windowMs / 2',
  },
  {
    name: 'half the window with behaviour',
    file: 'behavior/normalise.ts',
    replace: 'nowMs - downWindowMs',
    by: 'nowMs - downWindowMs / 2',
  },
  {
    name: 'twice the period of a policy',
    file: 'behavior/policies.ts',
    replace: 'const cutoff = nowMs - periodSeconds * 1000',
    by: 'const cutoff = nowMs - periodSeconds * 2000',
  },
  {
    name: 'a Value target times the replicas instead of the ready pods',
    file: 'reactive/total.ts',
    replace: 'ratio * ready)',
    by: 'ratio * currentReplicas)',
  },
];

/** @param folder an empty one. */
export async function mutant({ name, file, replace, by }: Mutation, folder: string): Promise<Judge> {
  const operator = join(import.meta.dirname, '../../operator');
  const copy = join(folder, 'operator');
  await mkdir(copy, { recursive: true });
  await cp(join(operator, 'decision'), join(copy, 'decision'), {
    recursive: true,
    filter: (path) => !path.endsWith('.test.ts'),
  });
  for (const each of ['observation.ts', 'errors.ts', 'quantity.ts']) {
    await cp(join(operator, each), join(copy, each));
  }
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  const path = join(copy, 'decision', file);
  const source = await readFile(path, 'utf8');
  if (source.split(replace).length !== 2) throw new Error(`${name}: ${file} must hold "${replace}" once`);
  await writeFile(path, source.replace(replace, by));
  const [{ decide }, { recordScale }] = await Promise.all([
    load<Pick<Judge, 'decide'>>(join(copy, 'decision/decide.ts')),
    load<Pick<Judge, 'recordScale'>>(join(copy, 'decision/memory.ts')),
  ]);
  return { decide, recordScale };
}

async function load<T>(path: string): Promise<T> {
  return (await import(pathToFileURL(path).href)) as T;
}
