/**
 * `make bench-scale`: N PredictiveScalers beside N real HPAs, one after the other on the same control plane and over the
 * same Deployments. N=100 gives a quick look, ORDER=foresail,hpa turns the order round.
 */
import { FORESAIL, HPA } from './contenders.ts';
import { machineLine, observeMachine } from './machine.ts';
import { say, setting, writeJson } from './report.ts';
import { type Result, removeAll, runContender } from './scale-run.ts';
import { scaleTables } from './scale-tables.ts';
import { setStage } from './stage.ts';

const count = setting('N', 1000);
const steadySeconds = setting('STEADY', 120);
const foresailFirst = process.env['ORDER'] === 'foresail,hpa';
const contenders = foresailFirst ? ([FORESAIL, HPA] as const) : ([HPA, FORESAIL] as const);
const limits = { settleMs: 20_000, steadyMs: steadySeconds * 1000, phaseMs: 240_000 };

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
const { signal } = interrupted;

const machine = observeMachine();
await using stage = await setStage(count, 0, signal);
const [first, second] = contenders;
const results: Result[] = [await runContender(stage, first, limits, signal)];
say('every Deployment back to one pod');
await removeAll(stage, first);
await stage.reset();
results.push(await runContender(stage, second, limits, signal));
const observed = machine();
const head = [
  `${count} PredictiveScalers (mode Active) and ${count} HPAs on Kubernetes ${stage.version}; first: ${first.name}`,
  machineLine(observed),
];
process.stdout.write(`${head.join('\n')}\n\n${scaleTables(results)}\n`);
const path = writeJson('scale', { machine: observed, kubernetes: stage.version, count, limits, results });
say(`as JSON: ${path}`);
