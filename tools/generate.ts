/** `make generate`: writes what is derived from operator/api. CI fails when that leaves a diff. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from '../operator/api/generate/files.ts';

const root = join(import.meta.dirname, '..');
for (const [path, content] of generatedFiles()) {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  console.log(path);
}
