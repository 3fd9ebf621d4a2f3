/** What `foresail evaluate` can score by name or by path, opened and described. */
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import { FORECASTERS, modelRivals } from '../forecast/registry.ts';
import { openModel } from '../inference/model.ts';
import { summarise } from '../inference/onnx-file.ts';
import type { OnnxModel } from '../inference/types.ts';
import type { EvaluatedModel } from '../simulate/accuracy/report-types.ts';
import { type Contender, NAIVE } from '../simulate/accuracy/score.ts';
import { isNamedBy } from '../simulate/accuracy/trained.ts';

/** The model that ships. */
export const BOX = 'loadcast';
/** What the operator issues: the model and its rivals, whichever leads on the load. */
export const CONTEST = 'contest';
export const BOX_PATH = fileURLToPath(new URL('../../models/loadcast/loadcast.onnx', import.meta.url));
/** Origins per series of a forecaster that fits in this process; a model file is scored at every step. */
export const CODE_ORIGINS = 2000;
const BATCH = 256;
/** A foreign file answers from a child beside other work; it is slow, not hung. */
const RUN_DEADLINE_MS = 30_000;

export interface Opened {
  readonly about: EvaluatedModel;
  /** Undefined for a naive reference, which needs no forecaster. */
  readonly contender: Contender | undefined;
  readonly onnx: OnnxModel | undefined;
  readonly fileBytes: number | null;
}

/** Names of all that is code, in the order of tables. */
export const CODE_NAMES: readonly string[] = [
  ...NAIVE.map(({ model }) => model),
  ...FORECASTERS.map(({ id }) => id),
];

export interface OpenOptions {
  readonly clock: Clock;
  readonly maxOrigins: number | undefined;
  readonly calibrated: boolean;
}

/**
 * @param names of forecasters that are code, `loadcast`, `contest`, and paths of ONNX files
 * @throws MODEL_INVALID for a file that is refused, FORECASTER_UNKNOWN for another name
 */
export async function openModels(names: readonly string[], options: OpenOptions): Promise<Opened[]> {
  const opened: Opened[] = [];
  try {
    for (const name of new Set(names)) {
      // oxlint-disable-next-line no-await-in-loop -- few, and each load takes a whole processor
      const one = await openOne(name, options);
      opened.push(unlike(opened, one));
    }
  } catch (error) {
    await closeModels(opened);
    throw error;
  }
  return opened;
}

export async function closeModels(opened: readonly Opened[]): Promise<void> {
  await Promise.all(opened.flatMap(({ onnx }) => (onnx === undefined ? [] : [onnx.close()])));
}

async function openOne(name: string, options: OpenOptions): Promise<Opened> {
  if (name === CONTEST) return await openContest(options);
  return name === BOX || isPath(name) ? await openFile(name, options) : openCode(name, options);
}

function isPath(name: string): boolean {
  return name.includes('/') || name.endsWith('.onnx');
}

function openCode(name: string, { maxOrigins = CODE_ORIGINS, calibrated }: OpenOptions): Opened {
  const about = { model: name, digest: 'builtin', trainingSources: [] };
  const none = { onnx: undefined, fileBytes: null };
  const naive = NAIVE.find(({ model }) => model === name);
  if (naive !== undefined)
    return { about: { ...about, summary: naive.summary }, contender: undefined, ...none };
  const entry = FORECASTERS.find(({ id }) => id === name);
  if (entry === undefined) {
    const known = [...CODE_NAMES, BOX, CONTEST].join(', ');
    throw new ForesailError(
      'FORECASTER_UNKNOWN',
      'terminal',
      `no forecaster is called "${name}"; there are ${known}, and paths of ONNX files`,
      { subject: name },
    );
  }
  const contender: Contender = {
    model: name,
    open: () => [entry.create({ fitsPerStep: Number.POSITIVE_INFINITY })],
    batch: 1,
    maxOrigins,
    // Calibration learns from every step.
    calibrated: calibrated && maxOrigins === Number.POSITIVE_INFINITY,
    trainedOn: () => false,
  };
  return { about: { ...about, summary: entry.summary }, contender, ...none };
}

async function openFile(name: string, { clock, maxOrigins, calibrated }: OpenOptions): Promise<Opened> {
  const path = name === BOX ? BOX_PATH : name;
  const onnx = await openModel({ path }, { clock, runDeadlineMs: RUN_DEADLINE_MS });
  const { state } = onnx;
  if (state.phase !== 'ready') {
    await onnx.close();
    const reason = state.phase === 'quarantined' ? state.reason : state.phase;
    throw new ForesailError('MODEL_INVALID', 'terminal', `${path}: ${reason}: ${state.message}`, {
      subject: path,
    });
  }
  const { descriptor } = state;
  const trainingSources = await sourcesOf(path, descriptor.digest);
  const model = name === BOX ? BOX : basename(path).replace(/\.onnx$/, '');
  return {
    about: {
      model,
      summary: `${descriptor.name} ${descriptor.version}`,
      digest: descriptor.digest,
      trainingSources,
    },
    contender: {
      model,
      open: () => [onnx],
      batch: BATCH,
      maxOrigins: maxOrigins ?? Number.POSITIVE_INFINITY,
      calibrated,
      trainedOn: (series) => isNamedBy(series, trainingSources),
    },
    onnx,
    fileBytes: descriptor.bytes,
  };
}

async function openContest(options: OpenOptions): Promise<Opened> {
  const box = await openFile(BOX, options);
  const { contender, onnx } = box;
  if (contender === undefined || onnx === undefined) return box;
  const summary = `what the operator issues: ${[BOX, ...modelRivals().map(({ id }) => id)].join(', ')}, whichever leads`;
  return {
    ...box,
    about: { ...box.about, model: CONTEST, summary },
    contender: {
      ...contender,
      model: CONTEST,
      open: () => [onnx, ...modelRivals()],
      // A record has to be kept at every step.
      calibrated: contender.calibrated && contender.maxOrigins === Number.POSITIVE_INFINITY,
    },
    fileBytes: null,
  };
}

/** Two files of one name are told apart by their digest. */
function unlike(others: readonly Opened[], one: Opened): Opened {
  if (one.contender === undefined || others.every(({ about }) => about.model !== one.about.model)) return one;
  const model = `${one.about.model}@${one.about.digest.replace('sha256:', '').slice(0, 8)}`;
  return { ...one, about: { ...one.about, model }, contender: { ...one.contender, model } };
}

const cardSchema = z.object({
  sha256: z.string().optional(),
  training: z.object({
    sources: z.array(z.object({ name: z.string() })).default([]),
    series: z.array(z.string()).default([]),
  }),
});
const namesSchema = z.array(z.string());

/** What the file's metadata and the card beside it (`model-card.json`, of the same digest) name as training data. */
async function sourcesOf(path: string, digest: string): Promise<string[]> {
  const metadata = summarise(await readFile(path)).metadata.get('foresail.training_sources');
  const own = namesSchema.safeParse(json(metadata ?? '[]'));
  const text = await readFile(join(dirname(path), 'model-card.json'), 'utf8').catch(() => undefined);
  const card = cardSchema.safeParse(json(text ?? 'null'));
  const isIts = card.success && `sha256:${card.data.sha256 ?? ''}` === digest;
  const named = isIts
    ? [...card.data.training.sources.map(({ name }) => name), ...card.data.training.series]
    : [];
  return [...new Set([...(own.success ? own.data : []), ...named])];
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
