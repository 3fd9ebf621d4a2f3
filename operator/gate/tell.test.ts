/** The gate's pod speaks to the operator's own HTTPS face. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { type HttpsFace, startHttpsFace } from '../training/testing/https-face.ts';
import { controlOf, postReport } from './tell.ts';

const REPORT = { verdict: 'Pass', failed: [], scores: {}, published: null } as const;

let folder = '';
let face: HttpsFace;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-tell-'));
  face = await startHttpsFace(folder, 'gate');
});
afterAll(async () => {
  await face[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** @param ca name of a file in the folder */
async function post(ca?: string): Promise<void> {
  const control = controlOf({
    FORESAIL_CONTROL_URL: face.url,
    FORESAIL_TOKEN_FILE: join(folder, 'token'),
    FORESAIL_CA_FILE: ca === undefined ? undefined : join(folder, ca),
  });
  let nowMs = 0;
  // Who waits for ten minutes has waited.
  const clock = { ...systemClock, monotonic: () => nowMs, sleep: async () => void (nowMs += 600_000) };
  await postReport(control, 'gate', REPORT, { clock, random: () => 0.5 }, AbortSignal.timeout(20_000));
}

test('an operator that an authority of the file has signed is told', async () => {
  await post('ca.crt');
  const { uid, attempt } = face.run;
  expect(face.reports.latest(uid, attempt)?.gate).toEqual(REPORT);
});

test.each([
  ['the system does not know', undefined, /self-signed certificate/],
  ['another authority has signed', 'other.crt', /self-signed certificate|signature/],
])('an operator that %s is told nothing', async (_, ca, message) => {
  await expect(post(ca)).rejects.toMatchObject({
    code: 'CONTROL_UNREACHABLE',
    message: expect.stringMatching(message),
  });
});

test('a file of authorities that is missing is named', async () => {
  await expect(post('missing.crt')).rejects.toMatchObject({
    code: 'CONTROL_MISSING',
    message: expect.stringContaining('FORESAIL_CA_FILE'),
  });
});
