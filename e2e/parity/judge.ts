/** The part of the operator that is on trial: replaceable, so that a wrong one can be shown to fail. */
import { decide } from '../../operator/decision/decide.ts';
import { recordScale } from '../../operator/decision/memory.ts';

export interface Judge {
  readonly decide: typeof decide;
  readonly recordScale: typeof recordScale;
}

export const REAL: Judge = { decide, recordScale };
