/** The parts of a run, each a list of samples: the sweep of the peers' settings, the cells, overload, cold starts. */
import { join } from 'node:path';
import { say } from '../report.ts';
import { type Contender, FORESAIL, type Settings, settingsText } from './contenders.ts';
import { type Figures, figuresOf } from './figures.ts';
import { type LoadOptions, runLoad, type Sample } from './load.ts';
import { type BenchModel, MODELS } from './models.ts';
import { ServerPool } from './pool.ts';
import {
  bentoQuestion,
  check,
  expectedAnswer,
  protocolQuestion,
  type Question,
  rowsFor,
  type Wire,
} from './questions.ts';
import type { Results } from './results.ts';
import { type Server, type Stage, startServer } from './server.ts';

export interface Plan {
  readonly models: readonly string[];
  readonly wires: readonly Wire[];
  readonly clients: readonly number[];
  readonly peers: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly sweepSeconds: number;
  readonly coldStarts: number;
  readonly overload: boolean;
}

export interface SweepRow {
  readonly contender: string;
  readonly model: string;
  readonly clients: number;
  readonly settings: Settings;
  /** NaN for a server that failed. */
  readonly requestsPerSecond: number;
  readonly best: boolean;
}

export interface CellRow {
  readonly model: string;
  readonly wire: Wire;
  readonly clients: number;
  readonly contender: string;
  readonly settings: Settings;
  readonly figures: Figures;
}

export interface OverloadRow {
  readonly model: string;
  readonly contender: string;
  readonly settings: Settings;
  readonly capacity: Figures;
  readonly offeredPerSecond: number;
  readonly overload: Figures;
  /** Share of the refusals that say when to come back. */
  readonly retryAfter: number;
  readonly unsent: number;
}

export interface ColdStartRow {
  readonly contender: string;
  readonly seconds: readonly number[];
}

const WARM_SECONDS = 0.3;
/** Before a server is measured on a model and wire for the first time: code that is compiled while it runs needs it. */
const FIRST_WARM = { clients: 16, warmSeconds: 0, seconds: 1.5 } as const;
/** Twice the processors' worth of work in any server, and a queue behind it. */
const CAPACITY_CLIENTS = 64;
const OVERLOAD = 4;
const OVERLOAD_CONNECTIONS = OVERLOAD * CAPACITY_CLIENTS;
/** Code that refuses is compiled in the first second of a crowd; what is let in is a part, and a p99 needs enough of it. */
const OVERLOAD_TIMES = { warmSeconds: 1.5, longer: 2 } as const;
/** Of p99 at capacity: what is told to those who refuse what would come later. */
const LATENCY_TARGET = 1.5;

export class Bench {
  readonly #plan: Plan;
  readonly #results: Results;
  readonly #stage: Stage;
  readonly #load: Pick<LoadOptions, 'program' | 'core'>;
  readonly #signal: AbortSignal;
  readonly #pool: ServerPool;
  readonly #peers: readonly Contender[];
  readonly #models: readonly BenchModel[];
  readonly #prepared = new Set<string>();
  /** What went wrong, for the end of the report. */
  readonly failures: string[] = [];

  constructor(
    plan: Plan,
    peers: readonly Contender[],
    results: Results,
    stage: Stage,
    load: Pick<LoadOptions, 'program' | 'core'>,
    signal: AbortSignal,
  ) {
    this.#plan = plan;
    this.#peers = peers;
    this.#results = results;
    this.#stage = stage;
    this.#load = load;
    this.#signal = signal;
    this.#pool = new ServerPool(stage, signal);
    this.#models = MODELS.filter(({ name }) => plan.models.includes(name));
  }

  /** Every setting of every peer on JSON, which all of them speak; the fastest at each point is kept. */
  async sweep(): Promise<SweepRow[]> {
    const rows: SweepRow[] = [];
    for (const contender of this.#peers) {
      const settings = contender.settings;
      const points: SweepRow[] = [];
      for (const one of settings) {
        say(`sweep: ${contender.name} ${settingsText(one)}`);
        for (const model of this.#models)
          for (const clients of this.#plan.clients) {
            // oxlint-disable-next-line no-await-in-loop -- one measurement after the other
            const sample = await this.#try(
              `sweep/${contender.name}/${settingsText(one)}/${model.name}/${clients}`,
              () =>
                this.#sample(contender, one, model, 'HTTP JSON', {
                  clients,
                  seconds: this.#plan.sweepSeconds,
                  warmSeconds: WARM_SECONDS,
                }),
            );
            const requestsPerSecond =
              sample === undefined ? Number.NaN : figuresOf([sample]).requestsPerSecond;
            const point = { contender: contender.name, model: model.name, clients, settings: one };
            points.push({ ...point, requestsPerSecond, best: false });
          }
      }
      rows.push(...points.map((row) => ({ ...row, best: row === bestOf(points, row) })));
      // oxlint-disable-next-line no-await-in-loop -- as above
      await this.#pool.keep([]);
    }
    return rows;
  }

  /** Each round goes through the servers in the order opposite to the one before, so that a drift hits all alike. */
  async cells(sweep: readonly SweepRow[]): Promise<CellRow[]> {
    const rows: CellRow[] = [];
    for (const model of this.#models) {
      for (const wire of this.#plan.wires) {
        const contenders = [FORESAIL, ...this.#peers].filter(({ wires }) => wires.includes(wire));
        for (const clients of this.#plan.clients) {
          // oxlint-disable-next-line no-await-in-loop -- one measurement after the other
          rows.push(...(await this.#cell(model, wire, clients, contenders, sweep)));
        }
      }
      // oxlint-disable-next-line no-await-in-loop -- as above
      await this.#pool.keep([]);
    }
    return rows;
  }

  async #cell(
    model: BenchModel,
    wire: Wire,
    clients: number,
    contenders: readonly Contender[],
    sweep: readonly SweepRow[],
  ): Promise<CellRow[]> {
    const samples = new Map<Contender, Sample[]>(contenders.map((contender) => [contender, []]));
    for (let round = 0; round < this.#plan.rounds; round++) {
      for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
        const settings = settingsFor(contender, model.name, clients, sweep);
        const name = `cell/${model.name}/${wire}/${clients}/${contender.name}/${round}`;
        // oxlint-disable-next-line no-await-in-loop -- one measurement after the other
        const sample = await this.#try(name, () =>
          this.#sample(contender, settings, model, wire, {
            clients,
            seconds: this.#plan.seconds,
            warmSeconds: WARM_SECONDS,
          }),
        );
        if (sample !== undefined) samples.get(contender)?.push(sample);
      }
    }
    const rows = contenders.flatMap((contender): CellRow[] => {
      const own = samples.get(contender) ?? [];
      if (own.length === 0) return [];
      const settings = settingsFor(contender, model.name, clients, sweep);
      return [
        { model: model.name, wire, clients, contender: contender.name, settings, figures: figuresOf(own) },
      ];
    });
    const text = rows.map(
      ({ contender, figures }) =>
        `${contender} ${Math.round(figures.requestsPerSecond)}/s p99 ${figures.p99Ms.toFixed(1)} ms`,
    );
    say(`${model.name}, ${wire}, ${clients} clients: ${text.join('; ')}`);
    return rows;
  }

  /** Capacity by a closed loop, then four times as many requests a second as that, whether or not they are answered. */
  async overload(sweep: readonly SweepRow[]): Promise<OverloadRow[]> {
    const rows: OverloadRow[] = [];
    for (const model of this.#models)
      for (const contender of [FORESAIL, ...this.#peers]) {
        // oxlint-disable-next-line no-await-in-loop -- one measurement after the other
        const row = await this.#overloadOf(model, contender, sweep);
        if (row !== undefined) rows.push(row);
      }
    await this.#pool.keep([]);
    return rows;
  }

  async #overloadOf(
    model: BenchModel,
    contender: Contender,
    sweep: readonly SweepRow[],
  ): Promise<OverloadRow | undefined> {
    const settings = settingsFor(contender, model.name, Math.max(...this.#plan.clients), sweep);
    const name = `overload/${model.name}/${contender.name}`;
    const wire = 'HTTP JSON';
    const load = {
      seconds: OVERLOAD_TIMES.longer * this.#plan.seconds,
      warmSeconds: OVERLOAD_TIMES.warmSeconds,
    };
    const atCapacity = await this.#try(`${name}/capacity`, () =>
      this.#sample(contender, settings, model, wire, { ...load, clients: CAPACITY_CLIENTS }),
    );
    if (atCapacity === undefined) return undefined;
    const capacity = figuresOf([atCapacity]);
    const rate = OVERLOAD * capacity.requestsPerSecond;
    // Whoever can be told how late an answer may be, is told.
    const limited =
      contender.withLatencyTarget?.(settings, Math.ceil(LATENCY_TARGET * capacity.p99Ms)) ?? settings;
    const under = await this.#try(`${name}/overload`, () =>
      this.#sample(contender, limited, model, wire, { ...load, clients: OVERLOAD_CONNECTIONS, rate }),
    );
    if (under === undefined) return undefined;
    const overload = figuresOf([under]);
    const { ok = 0, lost = 0, ...refused } = under.statuses;
    const refusals = Object.values(refused).reduce((sum, count) => sum + count, 0);
    say(
      `${model.name}, overload: ${contender.name} ${ok} admitted, ${refusals} refused, ${lost} lost, p99 ` +
        `${overload.p99Ms.toFixed(1)} ms after ${capacity.p99Ms.toFixed(1)} ms at capacity`,
    );
    return {
      model: model.name,
      contender: contender.name,
      settings: limited,
      capacity,
      offeredPerSecond: rate,
      overload,
      retryAfter: refusals === 0 ? Number.NaN : under.retryAfter / refusals,
      unsent: under.unsent,
    };
  }

  /** From the start of the process until it says that it is ready with all models; one server after the other. */
  async coldStarts(): Promise<ColdStartRow[]> {
    const contenders = [FORESAIL, ...this.#peers];
    const seconds = new Map<Contender, number[]>(contenders.map((contender) => [contender, []]));
    for (let round = 0; round < this.#plan.coldStarts; round++)
      for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
        // oxlint-disable-next-line no-await-in-loop -- one measurement after the other
        const taken = await this.#try(`cold/${contender.name}/${round}`, async () => {
          const [settings = {}] = contender.settings;
          const server = await startServer(contender, settings, this.#stage, this.#signal);
          await server.end();
          return server.coldStartSeconds;
        });
        if (taken !== undefined) seconds.get(contender)?.push(taken);
      }
    return contenders.map((contender) => ({
      contender: contender.name,
      seconds: seconds.get(contender) ?? [],
    }));
  }

  async end(): Promise<void> {
    await this.#pool.keep([]);
  }

  #sample(
    contender: Contender,
    settings: Settings,
    model: BenchModel,
    wire: Wire,
    load: Omit<LoadOptions, 'program' | 'core'>,
  ): Promise<Sample> {
    return this.#pool.use(contender, settings, async (server) => {
      const question = questionFor(contender, model, wire);
      await this.#prepareOnce(server, question, model, wire);
      return runLoad(server, question, { ...this.#load, ...load }, this.#signal);
    });
  }

  async #prepareOnce(server: Server, question: Question, model: BenchModel, wire: Wire): Promise<void> {
    const key = `${server.httpAddress} ${model.name} ${wire}`;
    if (this.#prepared.has(key)) return;
    const path = join(this.#stage.repository, model.name, '1/model.onnx');
    const [row = []] = rowsFor(model);
    const expected = await expectedAnswer(path, model, row);
    const address = question.wire === 'grpc' ? server.grpcAddress : server.httpAddress;
    await check(question, address, expected, this.#signal);
    await runLoad(server, question, { ...this.#load, ...FIRST_WARM }, this.#signal);
    this.#prepared.add(key);
  }

  /** A server that fails is reported and left out. */
  async #try<T>(name: string, measure: () => Promise<T>): Promise<T | undefined> {
    this.#signal.throwIfAborted();
    try {
      return await this.#results.once(name, measure);
    } catch (error) {
      this.#signal.throwIfAborted();
      const text = `${name}: ${error instanceof Error ? error.message : String(error)}`;
      say(`failed: ${text}`);
      this.failures.push(text);
      return undefined;
    }
  }
}

function questionFor({ dialect }: Contender, model: BenchModel, wire: Wire): Question {
  const rows = rowsFor(model);
  return dialect === 'bento' ? bentoQuestion(model, rows) : protocolQuestion(model, rows, wire);
}

function bestOf(points: readonly SweepRow[], { model, clients }: SweepRow): SweepRow | undefined {
  const same = points.filter(
    (point) => point.model === model && point.clients === clients && point.requestsPerSecond > 0,
  );
  return same.toSorted((a, b) => b.requestsPerSecond - a.requestsPerSecond)[0];
}

function settingsFor(
  contender: Contender,
  model: string,
  clients: number,
  sweep: readonly SweepRow[],
): Settings {
  const best = sweep.find(
    (row) => row.contender === contender.name && row.model === model && row.clients === clients && row.best,
  );
  return best?.settings ?? contender.settings[0] ?? {};
}
