/**
 * The image without a container engine: reads Dockerfile and .dockerignore as far as ours go, and lays out in a folder
 * what the final stage would contain.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, matchesGlob, relative } from 'node:path';
import { REPOSITORY } from './helm.ts';

export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** The instructions by stage, comments and line continuations resolved. */
export function stages(dockerfile: string): readonly (readonly Instruction[])[] {
  const lines = dockerfile
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const result: Instruction[][] = [];
  for (const line of lines) {
    const [, name = '', text = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') result.push([]);
    result.at(-1)?.push({ name, text });
  }
  return result;
}

/** Sources that a stage copies from the build context. */
export function contextSources(stage: readonly Instruction[]): readonly string[] {
  return stage
    .filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from='))
    .flatMap(({ text }) => text.split(/\s+/).slice(0, -1));
}

/** Whether the engine would leave a file out: the last pattern that matches it or a folder above it decides. */
export function ignores(dockerignore: string): (path: string) => boolean {
  const patterns = dockerignore.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return (path) => {
    const parts = path.split('/');
    const candidates = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
    let ignored = false;
    for (const pattern of patterns) {
      const keep = pattern.startsWith('!');
      const glob = keep ? pattern.slice(1) : pattern;
      if (candidates.some((candidate) => matchesGlob(candidate, glob))) ignored = !keep;
    }
    return ignored;
  };
}

/** Fills `folder` with the files that the final stage copies; the production packages are links to those installed. */
export function layOutImage(folder: string): void {
  const read = (path: string) => readFileSync(join(REPOSITORY, path), 'utf8');
  const ignored = ignores(read('.dockerignore'));
  for (const source of contextSources(stages(read('Dockerfile')).at(-1) ?? []))
    cpSync(join(REPOSITORY, source), join(folder, source), {
      recursive: true,
      filter: (from) => !ignored(relative(REPOSITORY, from)),
    });
  linkProductionPackages(JSON.parse(read('package-lock.json')) as LockFile, join(folder, 'node_modules'));
}

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
}

/** What `npm install --omit=dev --no-save` would install. */
function linkProductionPackages({ packages }: LockFile, folder: string): void {
  for (const [path, { dev }] of Object.entries(packages)) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
    if (name === undefined || dev === true || !existsSync(join(REPOSITORY, path))) continue;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    symlinkSync(join(REPOSITORY, path), join(folder, name));
  }
}
