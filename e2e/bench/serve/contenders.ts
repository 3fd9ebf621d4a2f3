/** The servers that are compared: how each is started, on which wires it answers, and the settings that are tried. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from '../../../operator/config.ts';
import { MODELS } from './models.ts';
import type { Wire } from './questions.ts';

export interface Place {
  /** Holds the models. */
  readonly repository: string;
  /** Empty; for whatever the server wants to write. */
  readonly folder: string;
  readonly httpPort: number;
  readonly grpcPort: number;
}

export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export type Settings = Readonly<Record<string, string>>;

export interface Contender {
  readonly name: string;
  /** Its version and that of its runtime. */
  readonly version: () => string;
  /** Those that it does not speak are not measured. */
  readonly wires: readonly Wire[];
  /** BentoML has words of its own. */
  readonly dialect: 'protocol' | 'bento';
  readonly readyPath: string;
  /** What the sweep tries; the first stands for the server when nothing was swept. */
  readonly settings: readonly Settings[];
  /** For overload, where it can be told how late an answer may be. */
  readonly withLatencyTarget?: (settings: Settings, targetMs: number) => Settings;
  readonly command: (settings: Settings, place: Place) => Command;
}

const ROOT = join(import.meta.dirname, '../../..');
const PEERS = join(import.meta.dirname, 'peers');
/** Node's flags and the program, as pods of a ModelDeployment start it. */
const AS_IN_PODS = readConfig(undefined)
  .modelServing.command.slice(1)
  .map((word) => (word.startsWith('-') ? word : join(ROOT, word)));

export function settingsText(settings: Settings): string {
  const text = Object.entries(settings).map(([key, value]) => `${key.toLowerCase()}=${value}`);
  return text.length === 0 ? 'as it comes' : text.join(' ');
}

export const FORESAIL: Contender = {
  name: 'Foresail',
  version: () => {
    const versionOf = (path: string): string =>
      (JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as { version: string }).version;
    const runtime = versionOf('node_modules/onnxruntime-node/package.json');
    return `${versionOf('package.json')} (Node ${process.versions.node}, onnxruntime-node ${runtime})`;
  },
  wires: ['HTTP JSON', 'HTTP binary', 'gRPC'],
  dialect: 'protocol',
  readyPath: '/v2/health/ready',
  settings: [{}],
  withLatencyTarget: (settings, targetMs) => ({ ...settings, 'latency-target': `${targetMs}ms` }),
  command: (settings, { repository, httpPort, grpcPort }) => ({
    argv: [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      ...AS_IN_PODS,
      'serve',
      '--model-repository',
      repository,
      '--host',
      '127.0.0.1',
      '--log-level',
      'warn',
      '--http-port',
      String(httpPort),
      '--grpc-port',
      String(grpcPort),
      ...Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value]),
    ],
    env: {},
    cwd: ROOT,
  }),
};

const MLSERVER: Contender = {
  name: 'MLServer',
  version: () => pythonVersions('mlserver', ['mlserver', 'onnxruntime']),
  wires: ['HTTP JSON', 'gRPC'],
  dialect: 'protocol',
  readyPath: '/v2/health/ready',
  settings: [
    { WORKERS: '0', BATCH: 'off', THREADS: '1' },
    { WORKERS: '0', BATCH: 'on', THREADS: '1' },
    { WORKERS: '0', BATCH: 'off', THREADS: '2' },
  ],
  command: (settings, { repository, folder, httpPort, grpcPort }) => {
    const server = {
      debug: false,
      host: '127.0.0.1',
      http_port: httpPort,
      grpc_port: grpcPort,
      metrics_port: httpPort + 2,
      parallel_workers: Number(settings['WORKERS']),
      metrics_dir: join(folder, 'metrics'),
      environments_dir: join(folder, 'environments'),
    };
    writeFileSync(join(folder, 'settings.json'), JSON.stringify(server));
    for (const { name } of MODELS) {
      const model = {
        name,
        implementation: 'runtime.OnnxRuntime',
        parameters: { uri: join(repository, name, '1/model.onnx') },
        ...(settings['BATCH'] === 'on' ? { max_batch_size: 64, max_batch_time: 0.001 } : {}),
      };
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, 'model-settings.json'), JSON.stringify(model));
    }
    return {
      argv: [join(venv('mlserver'), 'bin/mlserver'), 'start', folder],
      env: { ...settings, PYTHONPATH: join(PEERS, 'mlserver') },
      cwd: folder,
    };
  },
};

const BENTOML: Contender = {
  name: 'BentoML',
  version: () => pythonVersions('bentoml', ['bentoml', 'onnxruntime']),
  wires: ['HTTP JSON'],
  dialect: 'bento',
  readyPath: '/readyz',
  settings: [
    { WORKERS: '1', BATCH: 'off', RUN: 'loop', THREADS: '1' },
    { WORKERS: '1', BATCH: 'on', RUN: 'loop', THREADS: '1' },
    { WORKERS: '1', BATCH: 'on', RUN: 'pool', THREADS: '1' },
    { WORKERS: '2', BATCH: 'off', RUN: 'loop', THREADS: '1' },
  ],
  withLatencyTarget: (settings, targetMs) => ({ ...settings, BATCH: 'on', LATENCY_MS: String(targetMs) }),
  command: (settings, { repository, folder, httpPort }) => ({
    argv: [
      join(venv('bentoml'), 'bin/bentoml'),
      'serve',
      'service:Onnx',
      '--working-dir',
      join(PEERS, 'bentoml'),
      '--host',
      '127.0.0.1',
      '--port',
      String(httpPort),
    ],
    env: {
      ...settings,
      REPOSITORY: repository,
      BENTOML_HOME: join(folder, 'home'),
      BENTOML_DO_NOT_TRACK: 'true',
    },
    cwd: folder,
  }),
};

const KSERVE: Contender = {
  name: 'KServe',
  version: () => pythonVersions('kserve', ['kserve', 'onnxruntime']),
  wires: ['HTTP JSON', 'HTTP binary', 'gRPC'],
  dialect: 'protocol',
  readyPath: '/v2/health/ready',
  settings: [
    { WORKERS: '1', THREADS: '1' },
    { WORKERS: '2', THREADS: '1' },
    { WORKERS: '1', THREADS: '2' },
  ],
  command: (settings, { repository, folder, httpPort, grpcPort }) => ({
    argv: [join(venv('kserve'), 'bin/python'), join(PEERS, 'kserve/server.py')],
    env: {
      ...settings,
      REPOSITORY: repository,
      HTTP_PORT: String(httpPort),
      GRPC_PORT: String(grpcPort),
    },
    cwd: folder,
  }),
};

const FASTAPI: Contender = {
  name: 'FastAPI',
  version: () => pythonVersions('fastapi', ['fastapi', 'uvicorn', 'onnxruntime']),
  wires: ['HTTP JSON', 'HTTP binary'],
  dialect: 'protocol',
  readyPath: '/ready',
  settings: [
    { WORKERS: '1', PARSE: 'orjson', RUN: 'loop', THREADS: '1' },
    { WORKERS: '1', PARSE: 'pydantic', RUN: 'loop', THREADS: '1' },
    { WORKERS: '1', PARSE: 'orjson', RUN: 'pool', THREADS: '1' },
    { WORKERS: '2', PARSE: 'orjson', RUN: 'loop', THREADS: '1' },
    { WORKERS: '1', PARSE: 'orjson', RUN: 'loop', THREADS: '2' },
  ],
  command: (settings, { repository, folder, httpPort }) => ({
    argv: [
      join(venv('fastapi'), 'bin/uvicorn'),
      'server:app',
      '--app-dir',
      join(PEERS, 'fastapi'),
      '--host',
      '127.0.0.1',
      '--port',
      String(httpPort),
      '--workers',
      settings['WORKERS'] ?? '1',
      '--loop',
      'uvloop',
      '--http',
      'httptools',
      '--no-access-log',
      '--log-level',
      'warning',
    ],
    env: { ...settings, REPOSITORY: repository },
    cwd: folder,
  }),
};

export const PEERS_OF_FORESAIL: readonly Contender[] = [MLSERVER, BENTOML, KSERVE, FASTAPI];

const environments = new Map<string, string>();

/** @throws when its packages cannot be installed */
function venv(peer: string): string {
  const known = environments.get(peer);
  if (known !== undefined) return known;
  const { status, stdout } = spawnSync(join(PEERS, 'venv.sh'), [peer], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`the Python environment of ${peer} cannot be made`);
  const path = stdout.trim().split('\n').at(-1) ?? '';
  environments.set(peer, path);
  return path;
}

function pythonVersions(peer: string, packages: readonly string[]): string {
  const code = `import importlib.metadata as m, platform
print(", ".join(f"{p} {m.version(p)}" for p in ${JSON.stringify(packages)}), "on Python", platform.python_version())`;
  const { stdout } = spawnSync(join(venv(peer), 'bin/python'), ['-c', code], { encoding: 'utf8' });
  return stdout.trim();
}
