/**
 * Judgements under way, on the disk of the history: each with the forecasts that wait for their loads, which are too
 * many for a ConfigMap. With it a restart loses nothing; where the disk is another one, the ConfigMap's older picture
 * is gone on from, and a lead time of forecasts is not scored.
 */
import { readFileSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import { messageOf } from '../../errors.ts';
import type { WaitingForecasts } from '../../judge/desk.ts';
import type { IssuedForecast } from '../../judge/ledger.ts';
import type { Logger } from '../../logger.ts';
import type { Runnable } from '../../runtime/index.ts';
import type { ForecastJudge, Judging, WholeDesk } from './forecast-judge.ts';
import { decodeJudgement, encodeJudgement } from './stored-judgement.ts';

export interface JudgementFilesOptions {
  readonly folder: string;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface JudgementFiles extends Runnable {
  /** Undefined where there is none that can be read. Reads the disk: once per judgement of a process. */
  restore(uid: string): WholeDesk | undefined;
  /** @param living uids of the ModelDeployments that exist */
  attach(judge: Pick<ForecastJudge, 'judging'>, living: () => ReadonlySet<string>): void;
}

const SUFFIX = '.judgement.gz';
/** A hundred thousand forecasts of ten quantiles. */
const MAX_BYTES = 64 * 1024 * 1024;
/** So many forecasts are made into text before others have their turn. */
const CHUNK = 1_000;

const head = z.object({
  judgement: z.string(),
  steps: z.array(z.tuple([z.string().max(512), z.number().positive()])).max(100_000),
});
const forecast = z
  .tuple([
    z.string().max(512),
    z.number(),
    z.number().positive(),
    z.int(),
    z.string().max(128),
    z.array(z.number().gt(0).lt(1)).min(1).max(100),
    z.array(z.number()).min(1).max(100),
  ])
  .refine(([, , , , , levels, values]) => levels.length === values.length);

const compress = promisify(gzip);

export function createJudgementFiles({ folder, everyMs, clock, log }: JudgementFilesOptions): JudgementFiles {
  let attached:
    | { readonly judge: Pick<ForecastJudge, 'judging'>; readonly living: () => ReadonlySet<string> }
    | undefined;
  /** Of what lies on the disk, by uid: a rollout that is over is not written for ever. */
  const written = new Map<string, string>();
  const pathOf = (uid: string) => join(folder, `${uid}${SUFFIX}`);

  async function save(): Promise<void> {
    if (attached === undefined) return;
    await mkdir(folder, { recursive: true });
    for (const one of attached.judge.judging()) {
      const { uid, revision } = one;
      if (written.get(uid) === revision) continue;
      // oxlint-disable-next-line no-await-in-loop -- one text in memory at a time
      await replace(pathOf(uid), await textOf(one));
      written.set(uid, revision);
    }
    const living = attached.living();
    for (const name of await readdir(folder)) {
      if (living.has(name.slice(0, -SUFFIX.length)) && name.endsWith(SUFFIX)) continue;
      // oxlint-disable-next-line no-await-in-loop -- rare
      await rm(join(folder, name), { force: true });
      written.delete(name.slice(0, -SUFFIX.length));
    }
  }

  const saved = () =>
    save().catch((error: unknown) => log.warn('judgements could not be written', { folder, error }));

  return {
    name: 'judgement files',
    restore(uid) {
      try {
        return read(readFileSync(pathOf(uid)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          log.warn('judgement set aside', { uid, reason: messageOf(error) });
        return undefined;
      }
    },
    attach(judge, living) {
      attached = { judge, living };
    },
    async run(signal) {
      do {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await clock.sleep(everyMs, signal).catch(() => undefined);
        // The last one when it ends: what was heard since would be lost.
        // oxlint-disable-next-line no-await-in-loop
        await saved();
      } while (!signal.aborted);
    },
  };
}

/** JSON lines: the judgement, then a line per forecast. The picture is taken at once, its text in turns. */
async function textOf({ stored, waiting }: Judging): Promise<Buffer> {
  const judgement = encodeJudgement(stored());
  const { steps, forecasts } = waiting();
  const parts = [
    `${JSON.stringify({ judgement, steps } satisfies Record<keyof z.input<typeof head>, unknown>)}\n`,
  ];
  for (let at = 0; at < forecasts.length; at += CHUNK) {
    parts.push(
      forecasts
        .slice(at, at + CHUNK)
        .map(lineOf)
        .join(''),
    );
    // oxlint-disable-next-line no-await-in-loop -- decisions wait for nobody
    await new Promise(setImmediate);
  }
  return compress(parts.join(''), { level: 1 });
}

function lineOf({ series, targetMs, lead, version, digest, levels, values }: IssuedForecast): string {
  return `${JSON.stringify([series, targetMs, lead, version, digest, levels, Array.from(values)])}\n`;
}

/** @throws Error for anything but a whole file */
function read(content: Uint8Array): WholeDesk {
  const [first = '', ...lines] = gunzipSync(content, { maxOutputLength: MAX_BYTES })
    .toString('utf8')
    .trimEnd()
    .split('\n');
  const { judgement, steps } = head.parse(JSON.parse(first));
  const stored = decodeJudgement(judgement, (reason) => {
    throw new Error(reason);
  });
  if (stored === undefined) throw new Error('it holds no judgement');
  const forecasts = lines.map((line) => {
    const [series, targetMs, lead, version, digest, levels, values] = forecast.parse(JSON.parse(line));
    return { series, targetMs, lead, version, digest, levels, values: Float64Array.from(values) };
  });
  return { ...stored, waiting: { steps, forecasts } satisfies WaitingForecasts };
}

/** A crash leaves the old file or the new one. */
async function replace(path: string, content: Uint8Array): Promise<void> {
  const beside = `${path}.new`;
  const file = await open(beside, 'w');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
}

/** The picture that knows more; of two that know the same, the one with the forecasts that wait. */
export function newerOf(
  file: WholeDesk | undefined,
  checkpoint: WholeDesk | undefined,
): WholeDesk | undefined {
  if (file === undefined || checkpoint === undefined) return file ?? checkpoint;
  const isOther = file.candidate !== checkpoint.candidate || file.baseline !== checkpoint.baseline;
  return isOther || checkpoint.desk.judge.labels > file.desk.judge.labels ? checkpoint : file;
}
