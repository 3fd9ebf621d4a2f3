/** Runs the real helm on the project's chart. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { binary, ensureBinaries } from '../binaries.ts';

export const REPOSITORY = join(import.meta.dirname, '..', '..');
export const CHART = join(REPOSITORY, 'charts', 'foresail');

/** An object as the chart renders it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [key: string]: unknown;
}

export interface Helm extends AsyncDisposable {
  /** Answers with stdout; a failing helm throws with what it wrote to stderr. */
  run(args: readonly string[], values?: object): Promise<string>;
  /** The chart's manifests for release `foresail` in namespace `foresail-system`. */
  template(values?: object, args?: readonly string[]): Promise<readonly Manifest[]>;
}

export const RELEASE = 'foresail';
export const NAMESPACE = 'foresail-system';

/** `kubeconfigPath` is needed by commands that reach a cluster only. */
export async function makeHelm(kubeconfigPath = '/dev/null'): Promise<Helm> {
  const program = binary(await ensureBinaries(['helm']), 'helm');
  // Nothing of the user's own helm plays a part: no plugins, no repositories, no cache.
  const home = await mkdtemp(join(tmpdir(), 'foresail-helm-'));
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    HELM_CACHE_HOME: home,
    HELM_CONFIG_HOME: home,
    HELM_DATA_HOME: home,
    KUBECONFIG: kubeconfigPath,
  };
  const run: Helm['run'] = (args, values) =>
    new Promise((resolve, reject) => {
      const all = values === undefined ? args : [...args, '--values', '-'];
      const child = execFile(program, all, { env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        if (error)
          reject(new Error(`helm ${all.join(' ')}: ${`${stderr}${stdout}`.trim()}`, { cause: error }));
        else resolve(stdout);
      });
      child.stdin?.on('error', () => undefined); // helm may end before it has read all
      child.stdin?.end(JSON.stringify(values ?? {}));
    });
  return {
    run,
    async template(values, args = []) {
      const text = await run(['template', RELEASE, CHART, '--namespace', NAMESPACE, ...args], values);
      return manifests(text);
    },
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}

export function manifests(text: string): readonly Manifest[] {
  return (loadAll(text) as (Manifest | null)[]).filter((manifest) => manifest !== null);
}

/** The one manifest of that kind and name. */
export function one(all: readonly Manifest[], kind: string, name: string = RELEASE): Manifest {
  const found = all.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} manifests of ${kind} ${name}`);
  return found[0] as Manifest;
}

/** What lies at a path such as `spec.template.spec.containers.0.image`. */
export function field(object: object, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);
}
