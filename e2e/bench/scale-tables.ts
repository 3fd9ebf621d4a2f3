/** The comparison as text: both sides of every figure and their ratio, whoever wins. */
import { ratio, short } from './numbers.ts';
import { table } from './report.ts';
import type { Result } from './scale-run.ts';
import { type Consumption, OTHERS } from './usage.ts';

type Row = readonly [name: string, value: (result: Result) => number | undefined];

export function scaleTables(results: readonly Result[]): string {
  const foresail = results.find(({ contender }) => contender === 'Foresail');
  const hpa = results.find(({ contender }) => contender === 'HPA');
  if (foresail === undefined || hpa === undefined) throw new Error('one of the two is missing');
  const compared = (title: string, rows: readonly Row[]) =>
    table([
      [title, 'Foresail', 'HPA', 'ratio'],
      ...rows.flatMap(([name, value]) => {
        const [a, b] = [value(foresail), value(hpa)];
        if (a === undefined && b === undefined) return [];
        if (a === undefined || b === undefined)
          return [[name, a === undefined ? '-' : short(a), b === undefined ? '-' : short(b), '']];
        return [[name, short(a), short(b), ratio(a, b)]];
      }),
    ]);
  const ends = results
    .map(
      ({ contender, step: { endsAt } }) =>
        `${contender} ${Object.entries(endsAt)
          .map(([r, n]) => `${n} at ${r}`)
          .join(', ')}`,
    )
    .join('; ');
  return [
    compared('apply to working (s)', [
      ['the last object is accepted', (r) => r.onboarding.postedSeconds],
      ['half of them work', (r) => r.onboarding.p50Seconds],
      ['all work', (r) => r.onboarding.allSeconds],
      ['objects that work', (r) => r.onboarding.working],
    ]),
    compared('step of all metrics, until written (s)', [
      ['first', (r) => r.step.firstSeconds],
      ['50 %', (r) => r.step.p50Seconds],
      ['99 %', (r) => r.step.p99Seconds],
      ['100 %', (r) => r.step.allSeconds],
      ['scales written', (r) => r.step.written],
      ['refused (409)', (r) => r.step.refusedWrites],
    ]),
    compared('steady state, per object and minute', [
      ['requests in all', (r) => sum(Object.values(r.steady.requests))],
      ['metric queries', (r) => r.steady.metricQueries],
      ['reads of /scale', (r) => r.steady.scaleReads],
      ['status writes', (r) => r.steady.statusWrites],
      ['scale writes', (r) => r.steady.scaleWrites],
    ]),
    usageTable(
      'steady state, CPU in cores',
      compared,
      (r) => r.steady.usage,
      ({ cores }) => cores,
    ),
    usageTable(
      'steady state, RSS in MiB',
      compared,
      (r) => r.steady.usage,
      ({ rssMiB }) => rssMiB,
    ),
    usageTable(
      'during the step, CPU in cores',
      compared,
      (r) => r.step.usage,
      ({ cores }) => cores,
    ),
    `replicas at the end of the step: ${ends}`,
    `metric server (same process as the driver): busy ${results
      .map(({ contender, steady, step }) => {
        const [calm, hard] = [steady.metricServer, step.metricServer].map(({ busy }) =>
          (100 * busy).toFixed(0),
        );
        return `${contender} ${calm} % steady, ${hard} % in the step, late p99 ${short(step.metricServer.lateMs)} ms`;
      })
      .join('; ')}`,
  ].join('\n\n');
}

function usageTable(
  title: string,
  compared: (title: string, rows: readonly Row[]) => string,
  usage: (result: Result) => Readonly<Record<string, Consumption>>,
  figure: (consumption: Consumption) => number,
): string {
  const row = (label: string, process: string): Row => [
    label,
    (result) => {
      const consumption = usage(result)[process];
      const value = consumption === undefined ? undefined : figure(consumption);
      return Number.isNaN(value) ? undefined : value;
    },
  ];
  return compared(title, [
    row('operator', 'operator'),
    row('controller-manager', 'kube-controller-manager'),
    row('API server', 'kube-apiserver'),
    row('etcd', 'etcd'),
    row('scheduler', 'kube-scheduler'),
    row('other programs on the machine', OTHERS),
  ]);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
