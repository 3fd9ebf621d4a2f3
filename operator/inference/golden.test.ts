import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { boxModelSource } from '../../tools/box-model.ts';
import { systemClock } from '../clock.ts';
import type { ForecastWindow } from '../forecast/types.ts';
import { BOX_MODEL } from './box-model.ts';
import { openModel } from './model.ts';
import type { OnnxModel } from './types.ts';

/** The trainer wrote PyTorch's answers beside the file; ours must be the same numbers. */
interface Golden {
  readonly modelSha256: string;
  readonly tolerance: number;
  readonly cases: readonly {
    readonly name: string;
    readonly context: readonly (number | null)[];
    readonly seasonal: readonly (readonly (number | null)[])[];
    readonly steps: readonly number[];
    readonly quantiles: readonly (readonly number[])[];
  }[];
}

const folder = new URL('../../models/loadcast/', import.meta.url);
const golden = JSON.parse(readFileSync(new URL('golden.json', folder), 'utf8')) as Golden;
const floats = (values: readonly (number | null)[]): Float32Array =>
  Float32Array.from(values, (value) => value ?? Number.NaN);

describe('the model in the box', () => {
  let model: OnnxModel;
  beforeAll(async () => {
    model = await openModel({ path: new URL('loadcast.onnx', folder).pathname }, { clock: systemClock });
  });
  afterAll(() => model.close());

  test('is recognised by its compiled-in digest and runs in this process', () => {
    expect(model.state).toMatchObject({ phase: 'ready', place: 'inProcess' });
    expect(golden.modelSha256).toBe(BOX_MODEL.sha256);
  });

  test('its compiled-in digest is up to date', () => {
    const bytes = readFileSync(new URL('loadcast.onnx', folder));
    expect(readFileSync(new URL('./box-model.ts', import.meta.url), 'utf8')).toBe(boxModelSource(bytes));
  });

  test.each(golden.cases.map((one) => [one.name, one] as const))(
    'answers as PyTorch did: %s',
    async (_, one) => {
      const window: ForecastWindow = {
        key: one.name,
        context: floats(one.context),
        seasonal: floats(one.seasonal.flat()),
        originMs: 0,
        stepMs: 60_000,
      };
      const [forecast] = await model.forecast([window], new AbortController().signal);
      const known = [...window.context, ...window.seasonal, ...one.quantiles.flat()].filter(Number.isFinite);
      const tolerance = golden.tolerance * Math.max(1e-9, ...known.map(Math.abs));
      expect(forecast?.levels).toHaveLength(one.quantiles[0]?.length ?? 0);
      const width = forecast?.levels.length ?? 0;
      one.steps.forEach((step, i) => {
        one.quantiles[i]?.forEach((wanted, level) => {
          const got = forecast?.values[step * width + level] ?? Number.NaN;
          expect(Math.abs(got - wanted)).toBeLessThanOrEqual(tolerance);
        });
      });
    },
  );
});
