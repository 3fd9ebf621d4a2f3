/** Prometheus' own judge on the alerts: they parse, and fire on the series that their tests script. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { binary, ensureBinaries } from '../binaries.ts';
import { REPOSITORY } from './helm.ts';

test.each([
  ['check', 'foresail.rules.yaml'],
  ['test', 'foresail.rules.test.yaml'],
])(
  'promtool %s rules %s',
  async (command, file) => {
    const promtool = binary(await ensureBinaries(['prometheus']), 'promtool');
    const path = join(REPOSITORY, 'config/alerts', file);
    expect(execFileSync(promtool, [command, 'rules', path], { encoding: 'utf8' })).toContain('SUCCESS');
  },
  600_000,
);
