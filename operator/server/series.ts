/**
 * Counters and histograms for what happens at every request. prom-client's own look a series up by the text of its labels
 * at each update, which at ten updates a request costs as much as reading a small one. Here the caller keeps the series,
 * an update is an addition, and the registry gets its form when it is scraped.
 */
import { Counter, type Histogram, type Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;

export interface CounterSeries {
  value: number;
}

export interface HistogramSeries {
  observe(value: number): void;
}

interface Description {
  readonly name: string;
  readonly help: string;
  readonly registry: Registry;
}

/** Gives a series per set of labels; keep it, each call makes one. */
export function counter<L extends string>(
  { name, help, registry }: Description,
  labelNames: readonly L[],
): (labels: Readonly<Record<L, string>>) => CounterSeries {
  const all: { readonly labels: Readonly<Record<L, string>>; readonly series: CounterSeries }[] = [];
  const metric = new Counter<L>({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      metric.reset();
      for (const { labels, series } of all) metric.inc(labels, series.value);
    },
  });
  return (labels) => {
    const series = { value: 0 };
    all.push({ labels, series });
    return series;
  };
}

/** As `counter`. @param bounds upper bounds of the buckets, rising; the last one has none and needs no mention */
export function histogram(
  { name, help, registry }: Description,
  bounds: readonly number[],
): (labels: Labels) => HistogramSeries {
  const all: { readonly labels: Labels; readonly series: Buckets }[] = [];
  const get = () => ({
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    values: all.flatMap(({ labels, series }) => series.read(name, labels)),
  });
  // The registry asks a metric for no more than this; its type names only prom-client's own classes.
  registry.registerMetric({ name, help, get } as unknown as Histogram);
  return (labels) => {
    const series = new Buckets(bounds);
    all.push({ labels, series });
    return series;
  };
}

class Buckets implements HistogramSeries {
  readonly #bounds: readonly number[];
  /** One more than bounds: what is above all of them. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] ?? 0)) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  read(name: string, labels: Labels): { metricName: string; labels: Labels; value: number }[] {
    let total = 0;
    const buckets = [...this.#counts].map((count, i) => {
      total += count;
      const le = String(this.#bounds[i] ?? '+Inf');
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: total };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: total },
    ];
  }
}

/** Remembers what `make` gave for each key; the keys have to be few. */
export function perKey<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}

export function once<V>(make: () => V): () => V {
  const get = perKey<undefined, V>(make);
  return () => get(undefined);
}
