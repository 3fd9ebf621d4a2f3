/** The trainer's own answers beside the file: what runs here must say the same numbers. */
import { z } from 'zod';
import type { Forecaster, ForecastWindow } from '../forecast/types.ts';
import { CONTEXT_LENGTH } from '../forecast/types.ts';
import { SEASONAL_LENGTH } from '../inference/runner.ts';

const numbers = z.array(z.number().nullable());

/** As the trainer's `golden.py` writes it; null is NaN. */
const schema = z.looseObject({
  modelSha256: z.string(),
  tolerance: z.number().positive().max(0.01),
  cases: z
    .array(
      z.looseObject({
        name: z.string().max(200),
        context: numbers.length(CONTEXT_LENGTH),
        seasonal: z.array(numbers).refine((rows) => rows.flat().length === SEASONAL_LENGTH, {
          error: `must be ${SEASONAL_LENGTH} numbers`,
        }),
        steps: z.array(z.int().min(0)).min(1),
        quantiles: z.array(z.array(z.number())).min(1),
      }),
    )
    .min(1)
    .max(100),
});

export type GoldenVectors = z.infer<typeof schema>;

/** @returns why it cannot be used, as text */
export function parseGolden(text: string): GoldenVectors | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return 'golden.json is no JSON';
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return `golden.json: ${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'is invalid'}`;
}

/** @returns the first difference, for people; undefined when all are equal within the tolerance */
export async function goldenDifference(
  model: Forecaster,
  { cases, tolerance }: GoldenVectors,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const { name, context, seasonal, steps, quantiles } of cases) {
    const window: ForecastWindow = {
      key: name,
      context: floats(context),
      seasonal: floats(seasonal.flat()),
      originMs: 0,
      stepMs: 60_000,
    };
    // oxlint-disable-next-line no-await-in-loop -- few, one model
    const [forecast] = await model.forecast([window], signal);
    const scale = largest([...context, ...seasonal.flat(), ...quantiles.flat()]);
    if (forecast === undefined) return `golden case "${name}": there is no forecast`;
    const { levels, values } = forecast;
    const uneven = quantiles.find((row) => row.length !== levels.length);
    if (uneven !== undefined || quantiles.length !== steps.length)
      return `golden case "${name}": ${quantiles.length} x ${uneven?.length ?? levels.length} quantiles are not ${steps.length} x ${levels.length}`;
    for (const [i, step] of steps.entries())
      for (const [k, level] of levels.entries()) {
        const wanted = quantiles[i]?.[k] ?? Number.NaN;
        const got = values[step * levels.length + k] ?? Number.NaN;
        if (Math.abs(got - wanted) <= tolerance * scale) continue;
        return `golden case "${name}": quantile ${level} of step ${step} is ${got}, the trainer says ${wanted}`;
      }
  }
  return undefined;
}

function floats(values: readonly (number | null)[]): Float32Array {
  return Float32Array.from(values, (value) => value ?? Number.NaN);
}

function largest(values: readonly (number | null)[]): number {
  return values.reduce<number>((most, value) => Math.max(most, Math.abs(value ?? 0)), 1e-9);
}
