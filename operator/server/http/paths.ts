/** The model and version of a path; both are names of folders, and nothing else is let through. */
import { readModelName, readVersion } from '../wire/fields.ts';
import type { ModelPath } from '../wire/infer-request.ts';

export interface ModelParams {
  readonly model: string;
  readonly version?: string;
}

export function modelPath({ model, version }: ModelParams): ModelPath {
  return {
    model: readModelName(model, 'the model name'),
    ...(version === undefined ? {} : { version: readVersion(version, 'the version') }),
  };
}

/** Every route of a model stands once with and once without its version. */
export const MODEL_PATHS = ['/v2/models/:model', '/v2/models/:model/versions/:version'] as const;
