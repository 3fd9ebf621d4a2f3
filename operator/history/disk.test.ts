import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

// A real full disk: a tmpfs of 1 MiB in a mount namespace of its own. Not every machine allows one to plain users.
const allowed =
  spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { timeout: 30_000 }).status === 0;

/** What a script of `testing/` prints of a disk of its own. */
function onOwnDisk(scriptName: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'foresail-disk-'));
  try {
    const script = fileURLToPath(new URL(`./testing/${scriptName}`, import.meta.url));
    const inside =
      'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" --disable-warning=ExperimentalWarning "$3" "$1"';
    const child = spawnSync('unshare', ['-rm', 'sh', '-c', inside, 'sh', folder, process.execPath, script], {
      encoding: 'utf8',
      timeout: 240_000,
      env: { PATH: process.env['PATH'] },
    });
    expect(child.stderr).toBe('');
    return child.stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

(allowed ? test : test.skip)(
  'a disk that turns read-only costs nothing that memory knows, and what was missed is written later',
  () => {
    const { reasons, known, found } = JSON.parse(onOwnDisk('read-only-main.ts'));
    expect(reasons).toEqual(['Ok', 'ReadOnly', 'Ok']);
    expect(known).toEqual([1, 2]);
    expect(found).toEqual([1, 2, 3]);
  },
);

(allowed ? test : test.skip)('on a full disk the oldest days give way; with none left memory goes on', () => {
  const { reasons, days, last, known } = JSON.parse(onOwnDisk('full-disk-main.ts'));
  expect(reasons).toEqual(['Ok']);
  expect(days.at(-1)).toBe('1972-10-03');
  expect(days).not.toContain('1972-09-26');
  expect(days.length).toBeGreaterThan(2);
  expect(last.reason).toBe('DiskFull');
  expect(known).toBe(42);
});
