/** Reads Dockerfile and .dockerignore as far as ours go, so that the image's contents can be checked without an engine. */
import { matchesGlob } from 'node:path';

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
