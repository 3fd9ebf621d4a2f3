/**
 * Metrics of the inference server, named after Triton's `nv_inference_*`, with true histograms where that has sums. The
 * labels model and version come from what the engine serves, never from a request, so a caller cannot make series.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { CacheObserver, ResponseCache } from './around/response-cache.ts';
import type { Engine, Observer, Outcome, VersionGauges } from './core/types.ts';
import { type CounterSeries, counter, type HistogramSeries, histogram, once, perKey } from './series.ts';
import { OUTCOMES, type WireOutcome } from './wire/errors.ts';

export type Protocol = 'http' | 'grpc';

/** `dropped`: the queue was full. `unfit`: too large, or tensors that JSON cannot say. */
const PAYLOAD_OUTCOMES = ['sent', 'failed', 'dropped', 'unfit'] as const;
export type PayloadOutcome = (typeof PAYLOAD_OUTCOMES)[number];

export interface ServerMetrics {
  readonly registry: Registry;
  /** What the engine reports of every request and every run. */
  readonly observer: Observer;
  /** One inference or forecast call as its caller saw it, refused ones included. */
  call(protocol: Protocol, outcome: WireOutcome, seconds: number): void;
  /** From now on the gauges tell this engine's state. */
  follow(engine: Pick<Engine, 'gauges' | 'index' | 'ready'>): void;
  readonly cache: CacheObserver;
  followCache(cache: Pick<ResponseCache, 'bytes' | 'entries'>): void;
  /** An event of the payload log, when it has ended. */
  payload(outcome: PayloadOutcome): void;
}

/** From 50 µs, where a small model's run lies, to the longest wait that a caller may ask for. */
const SECONDS = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
  10, 30,
];
const PER_VERSION = ['model', 'version'] as const;

export function createServerMetrics(): ServerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const byOutcome = counter(
    {
      name: 'foresail_server_calls_total',
      help: 'Inference and forecast calls by protocol and how they ended, refused ones included.',
      registry,
    },
    ['protocol', 'outcome'],
  );
  const callSeconds = histogram(
    {
      name: 'foresail_server_call_duration_seconds',
      help: 'Time of a call in the server: parsing, queue, run, writing.',
      registry,
    },
    SECONDS,
  );
  const callsOf = (protocol: Protocol) => ({
    counts: new Map(OUTCOMES.map((outcome) => [outcome, byOutcome({ protocol, outcome })] as const)),
    seconds: callSeconds({ protocol }),
  });
  const calls = { http: callsOf('http'), grpc: callsOf('grpc') };

  const cacheHits = new Counter({
    name: 'foresail_inference_cache_hits_total',
    help: 'Requests that were answered from the response cache; they reach no model and count in no other series of it.',
    labelNames: PER_VERSION,
    registers,
  });
  const cacheMisses = new Counter({
    name: 'foresail_inference_cache_misses_total',
    help: 'Requests that the response cache had no answer for.',
    labelNames: PER_VERSION,
    registers,
  });
  const payloads = new Counter({
    name: 'foresail_payload_log_events_total',
    help: 'Events of the payload log, by how they ended.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of PAYLOAD_OUTCOMES) payloads.inc({ outcome }, 0);

  const seriesOf = seriesPerVersion(registry);

  return {
    registry,
    observer: {
      onRequest(event) {
        // A request that no version took says nothing about a model; the calls count it.
        if (event.version === '') return;
        const series = seriesOf(event.model)(event.version);
        series.requests(event.outcome).value++;
        if (event.outcome !== 'success') return;
        const { nonFinite, requestSeconds, queueSeconds, computeSeconds } = series.answered();
        if (event.nonFinite) nonFinite.value++;
        requestSeconds.observe(event.totalNs / 1e9);
        queueSeconds.observe(event.queueNs / 1e9);
        const computeNs = event.computeInputNs + event.computeInferNs + event.computeOutputNs;
        computeSeconds.observe(computeNs / 1e9);
      },
      onBatch(event) {
        const series = seriesOf(event.model)(event.version);
        series.runs(event.failed).value++;
        if (event.failed) return;
        const { rows, batch } = series.ran();
        rows.value += event.rows;
        batch.observe(event.rows);
      },
    },
    call(protocol, outcome, seconds) {
      const { counts, seconds: times } = calls[protocol];
      const series = counts.get(outcome);
      if (series !== undefined) series.value++;
      times.observe(seconds);
    },
    follow: (engine) => followEngine(engine, registers),
    cache: {
      hit: (model, version) => cacheHits.inc({ model, version }),
      miss: (model, version) => cacheMisses.inc({ model, version }),
    },
    followCache(cache) {
      overall(
        'foresail_inference_cache_bytes',
        'Size of the answers that are kept.',
        () => cache.bytes,
        registers,
      );
      overall('foresail_inference_cache_entries', 'Answers that are kept.', () => cache.entries, registers);
    },
    payload: (outcome) => payloads.inc({ outcome }),
  };
}

interface VersionSeries {
  readonly requests: (outcome: Outcome) => CounterSeries;
  readonly runs: (failed: boolean) => CounterSeries;
  /** From the first answer on, so that none with NaN is told from no knowledge. */
  readonly answered: () => {
    readonly nonFinite: CounterSeries;
    readonly requestSeconds: HistogramSeries;
    readonly queueSeconds: HistogramSeries;
    readonly computeSeconds: HistogramSeries;
  };
  readonly ran: () => { readonly rows: CounterSeries; readonly batch: HistogramSeries };
}

/** Each series is there from its first event on. */
function seriesPerVersion(registry: Registry): (model: string) => (version: string) => VersionSeries {
  const requests = counter(
    {
      name: 'foresail_inference_requests_total',
      help: 'Requests that reached a model, by how they ended.',
      registry,
    },
    [...PER_VERSION, 'outcome'],
  );
  const nonFinite = counter(
    {
      name: 'foresail_inference_nonfinite_answers_total',
      help: 'Answers with NaN or infinity in them.',
      registry,
    },
    PER_VERSION,
  );
  const rows = counter(
    {
      name: 'foresail_inference_count_total',
      help: 'Rows inferred; a request with a batch of 8 counts 8.',
      registry,
    },
    PER_VERSION,
  );
  const runs = counter(
    {
      name: 'foresail_inference_exec_count_total',
      help: 'Runs of a model; rows / runs is the mean batch.',
      registry,
    },
    [...PER_VERSION, 'failed'],
  );
  const seconds = (name: string, help: string) => histogram({ name, help, registry }, SECONDS);
  const requestSeconds = seconds(
    'foresail_inference_request_duration_seconds',
    'Time of a request in the engine.',
  );
  const queueSeconds = seconds(
    'foresail_inference_queue_duration_seconds',
    'Time that a request waited for its run.',
  );
  const computeSeconds = seconds(
    'foresail_inference_compute_duration_seconds',
    'Time of the run that answered a request, its tensors packed and unpacked.',
  );
  const batch = histogram(
    { name: 'foresail_inference_batch_size', help: 'Rows of a run.', registry },
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
  );
  return perKey((model: string) =>
    perKey((version: string): VersionSeries => {
      const labels = { model, version };
      return {
        requests: perKey((outcome: Outcome) => requests({ ...labels, outcome })),
        runs: perKey((failed: boolean) => runs({ ...labels, failed: String(failed) })),
        answered: once(() => ({
          nonFinite: nonFinite(labels),
          requestSeconds: requestSeconds(labels),
          queueSeconds: queueSeconds(labels),
          computeSeconds: computeSeconds(labels),
        })),
        ran: once(() => ({ rows: rows(labels), batch: batch(labels) })),
      };
    }),
  );
}

/** Read when they are asked for; a version that is gone has no series. */
function followEngine(engine: Pick<Engine, 'gauges' | 'index' | 'ready'>, registers: Registry[]): void {
  const perVersion = (name: string, help: string, read: (of: VersionGauges) => number) =>
    new Gauge({
      name,
      help,
      labelNames: PER_VERSION,
      registers,
      collect() {
        this.reset();
        for (const of of engine.gauges()) this.set({ model: of.model, version: of.version }, read(of));
      },
    });
  perVersion('foresail_inference_pending_requests', 'Requests that wait.', (of) => of.pendingRequests);
  perVersion('foresail_inference_running_requests', 'Requests in a run.', (of) => of.runningRequests);
  perVersion('foresail_model_instances_ready', 'Processes that hold the model.', (of) => of.instancesReady);
  perVersion('foresail_model_restarts', 'Starts of such a process after the first.', (of) => of.restarts);
  const states = new Gauge({
    name: 'foresail_model_version_state',
    help: '1 for the state that a version is in. reason: the check that it failed, empty for none.',
    labelNames: [...PER_VERSION, 'state', 'reason'],
    registers,
    collect() {
      states.reset();
      for (const { name: model, version, state, reason } of engine.index(false))
        states.set({ model, version, state, reason: state === 'UNAVAILABLE' ? checkOf(reason) : '' }, 1);
    },
  });
  overall(
    'foresail_server_ready',
    '1 while every model has a version that serves.',
    () => (engine.ready() ? 1 : 0),
    registers,
  );
}

/** Reasons begin with the name of the check; what follows has numbers in it and would make a series each time. */
function checkOf(reason: string): string {
  return /^([A-Z][A-Za-z]{0,63}): /.exec(reason)?.[1] ?? '';
}

function overall(name: string, help: string, read: () => number, registers: Registry[]): void {
  const gauge = new Gauge({
    name,
    help,
    registers,
    collect() {
      gauge.set(read());
    },
  });
}
