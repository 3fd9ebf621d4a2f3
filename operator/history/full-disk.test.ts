import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

// A real full disk: a tmpfs of 1 MiB in a mount namespace of its own. Not every machine allows one to plain users.
const allowed =
  spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { timeout: 5000 }).status === 0;

(allowed ? test : test.skip)(
  'on a full disk the oldest days give way; with none left memory goes on',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'foresail-full-'));
    try {
      const script = fileURLToPath(new URL('./testing/full-disk-main.ts', import.meta.url));
      const inside =
        'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" --disable-warning=ExperimentalWarning "$3" "$1"';
      const child = spawnSync(
        'unshare',
        ['-rm', 'sh', '-c', inside, 'sh', folder, process.execPath, script],
        {
          encoding: 'utf8',
          timeout: 60_000,
          env: { PATH: process.env['PATH'] },
        },
      );
      expect(child.stderr).toBe('');
      const { reasons, days, last, known } = JSON.parse(child.stdout);
      expect(reasons).toEqual(['Ok']);
      expect(days.at(-1)).toBe('1972-10-03');
      expect(days).not.toContain('1972-09-26');
      expect(days.length).toBeGreaterThan(2);
      expect(last.reason).toBe('DiskFull');
      expect(known).toBe(42);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  90_000,
);
