/** What the commands that write reports share. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes the folder where there is none: a run of minutes must not end for want of one. */
export async function writeInFolder(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}

/** As it could be typed again. */
export function commandLine(argv: readonly string[]): string {
  const quoted = argv
    .slice(2)
    .map((part) => (/^[\w./:,=@%+-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`));
  return ['foresail', ...quoted].join(' ');
}
