/** `make generate`: writes what is derived from the schemas in operator/ and tools/chart. CI fails when that leaves a diff. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from '../operator/api/generate/files.ts';
import { chartFiles } from './chart/files.ts';

const root = join(import.meta.dirname, '..');
for (const [path, content] of [...generatedFiles(), ...chartFiles()]) {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  console.log(path);
}
