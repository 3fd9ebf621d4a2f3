/** Errors as users read them in a condition. */
import { isForesailError } from '../errors.ts';

/** An error's code as a condition's reason: `TARGET_NOT_FOUND` becomes `TargetNotFound`. */
export function reasonOf(error: unknown): string {
  if (!isForesailError(error)) return 'Unexpected';
  return error.code
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
