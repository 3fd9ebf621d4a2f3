/**
 * Secrets live in files that are replaced while the operator runs (bound tokens expire within the hour). A file is
 * read again when its inode, size or time changes; a mounted Secret changes all three at once.
 */
import { readFile, stat } from 'node:fs/promises';
import { ReadError } from '../read-error.ts';

const maxSecretBytes = 1_048_576;

interface Kept {
  readonly stamp: string;
  readonly text: string;
}

export class SecretFiles {
  readonly #kept = new Map<string, Kept>();

  async read(path: string, what: string): Promise<string> {
    try {
      const { ino, size, mtimeMs } = await stat(path);
      if (size > maxSecretBytes) throw new ReadError('NotConfigured', `${what} is larger than 1 MiB`);
      const stamp = `${ino} ${size} ${mtimeMs}`;
      const kept = this.#kept.get(path);
      if (kept?.stamp === stamp) return kept.text;
      const text = (await readFile(path, 'utf8')).trim();
      if (text === '') throw new ReadError('NotConfigured', `${what} is empty`);
      this.#kept.set(path, { stamp, text });
      return text;
    } catch (error) {
      if (error instanceof ReadError) throw error;
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      throw new ReadError('NotConfigured', `${what} cannot be read (${code})`, error);
    }
  }

  /** For a header: one line of visible ASCII. */
  async readHeader(path: string, what: string): Promise<string> {
    const text = await this.read(path, what);
    if (!/^[\x20-\x7e]+$/.test(text)) throw new ReadError('NotConfigured', `${what} is not one line of text`);
    return text;
  }
}
