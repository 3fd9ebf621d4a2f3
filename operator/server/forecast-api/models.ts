/** Which models forecast series, and what a file of the forecast contract says about its head. */
import { ForesailError } from '../../errors.ts';
import { type Engine, type ModelMetadata, PROPERTY } from '../core/types.ts';

export interface ForecastHead {
  readonly horizon: number;
  readonly levels: readonly number[];
}

/** Undefined for a generic model. The engine has checked the file against the contract before it called it that. */
export function headOf({ properties }: ModelMetadata): ForecastHead | undefined {
  if (properties[PROPERTY.contract] !== 'forecast') return undefined;
  return {
    horizon: Number(properties['foresail.horizon']),
    levels: JSON.parse(properties['foresail.quantile_levels'] ?? '[]') as number[],
  };
}

/** Names, each once. */
export function forecastModels(engine: Engine): string[] {
  const names = new Set(engine.index(true).map(({ name }) => name));
  return [...names].filter((name) => {
    try {
      return headOf(engine.metadata(name)) !== undefined;
    } catch (error) {
      // Unloaded since it was listed.
      if (error instanceof ForesailError) return false;
      throw error;
    }
  });
}
