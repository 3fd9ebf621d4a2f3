/** The engine: finds the version that answers a request, and puts together what its parts need. */
import { isForesailError, messageOf } from '../../errors.ts';
import { silentLogger } from '../../logger.ts';
import { Catalog } from './catalog.ts';
import { loadDisabled, notFound, notReady } from './errors.ts';
import { Gate } from './gate.ts';
import { metadataOf } from './metadata.ts';
import { childProbe, chooseProvider, type ProviderChoice } from './providers.ts';
import { isModelName } from './repository.ts';
import { ServedModel } from './served-model.ts';
import { ServedVersion } from './served-version.ts';
import { settingsFor } from './settings.ts';
import type {
  Accelerator,
  Engine,
  EngineOptions,
  InferAnswer,
  InferRequest,
  ModelMetadata,
  ModelState,
  VersionGauges,
  VersionStatistics,
} from './types.ts';

const POLL_INTERVAL_MS = 15_000;
const RESTART_BACKOFF_MS = 1000;
const MAX_CRASHES = 3;
/** Loading takes a whole core; more at once would only make each of them late. */
const LOADS_AT_ONCE = 2;
const NOTHING_SPENT = {
  nonFinite: false,
  rows: 0,
  totalNs: 0,
  queueNs: 0,
  computeInputNs: 0,
  computeInferNs: 0,
  computeOutputNs: 0,
};

/**
 * Settles when the repository has been read; the models then load in the background (`ready`, `settled`).
 * @throws SETTING_INVALID, REPOSITORY_UNREADABLE
 */
export async function openEngine(options: EngineOptions, signal: AbortSignal): Promise<Engine> {
  for (const model of ['', ...Object.keys(options.models ?? {})]) settingsFor(options, model);
  const catalog = new Catalog({
    root: options.repository,
    clock: options.clock,
    logger: options.logger ?? silentLogger,
    pollIntervalMs: options.pollIntervalMs ?? POLL_INTERVAL_MS,
    create: modelFactory(options),
  });
  if (options.modelControl === 'explicit') await catalog.list();
  else await catalog.loadAll();
  if (signal.aborted) {
    await catalog.close(signal);
    throw signal.reason;
  }
  if (options.modelControl === 'poll') void catalog.follow();
  return new RepositoryEngine(options, catalog);
}

function modelFactory(options: EngineOptions): (name: string) => ServedModel {
  const { clock, logger = silentLogger, observer = {} } = options;
  const gate = new Gate(LOADS_AT_ONCE);
  const probe = childProbe(clock);
  // Asked once: the libraries do not come and go while the server runs.
  const providers = new Map<Accelerator, Promise<ProviderChoice>>();
  const providerFor = (accelerator: Accelerator, signal: AbortSignal): Promise<ProviderChoice> => {
    const known = providers.get(accelerator);
    if (known !== undefined) return known;
    const choice = chooseProvider(accelerator, probe, signal).then((chosen) => {
      // `auto` may find no GPU; who asked for one wants to know.
      const fellBack = accelerator !== 'auto' && chosen.provider !== accelerator;
      logger[fellBack ? 'warn' : 'info']('models run on', { accelerator, ...chosen });
      return chosen;
    });
    providers.set(accelerator, choice);
    // Given up with the model that asked first, it says nothing about the next.
    choice.catch(() => providers.delete(accelerator));
    return choice;
  };
  return (name) =>
    new ServedModel({
      name,
      latestVersions: options.latestVersions ?? Number.POSITIVE_INFINITY,
      open: async (found, signal) => {
        const settings = settingsFor(options, name);
        return new ServedVersion({
          clock,
          logger,
          observer,
          model: name,
          found,
          settings,
          provider: await providerFor(settings.accelerator, signal),
          restartBackoffMs: options.restartBackoffMs ?? RESTART_BACKOFF_MS,
          maxCrashes: options.maxCrashes ?? MAX_CRASHES,
        });
      },
      load: (version, signal) => gate.run(() => version.load(signal), signal),
      onError: (error) =>
        logger.error('a model version did not end in order', { model: name, error: messageOf(error) }),
    });
}

class RepositoryEngine implements Engine {
  readonly #options: EngineOptions;
  readonly #catalog: Catalog;
  #closing: Promise<void> | undefined;
  #closed = false;

  constructor(options: EngineOptions, catalog: Catalog) {
    this.#options = options;
    this.#catalog = catalog;
  }

  live(): boolean {
    return !this.#closed;
  }

  ready(): boolean {
    if (this.#closing !== undefined) return false;
    const models = [...this.#catalog.models.values()];
    return models.every((model) => model.ready) && (models.length > 0 || this.#explicit);
  }

  modelReady(model: string, version?: string): boolean {
    try {
      return this.#pick(model, version).ready;
    } catch {
      return false;
    }
  }

  metadata(model: string, version?: string): ModelMetadata {
    const served = this.#pick(model, version);
    const all = this.#catalog.models.get(model)?.versions ?? [];
    const ready = all.filter((candidate) => candidate.ready).map((candidate) => candidate.version);
    return metadataOf(model, served, ready.toReversed(), settingsFor(this.#options, model));
  }

  async infer(request: InferRequest, signal: AbortSignal): Promise<InferAnswer> {
    let version: ServedVersion;
    try {
      if (this.#closing !== undefined) throw notReady(request.model, 'the server is closing');
      version = this.#pick(request.model, request.version);
    } catch (error) {
      const outcome = isForesailError(error, 'MODEL_NOT_FOUND') ? 'invalid' : 'rejected';
      // Names that do not exist come from outside and would make labels without end.
      const model = this.#catalog.models.has(request.model) ? request.model : '';
      this.#options.observer?.onRequest?.({ model, version: '', outcome, ...NOTHING_SPENT });
      throw error;
    }
    return await version.infer(request, signal);
  }

  refuseEarly(model: string, version?: string): void {
    let served: ServedVersion;
    try {
      served = this.#pick(model, version);
    } catch {
      // Said by `infer`, after what is wrong with the request itself.
      return;
    }
    served.refuseEarly();
  }

  index(readyOnly: boolean): readonly ModelState[] {
    const { states } = this.#catalog;
    return readyOnly ? states.filter((state) => state.state === 'READY') : states;
  }

  async load(name: string, signal: AbortSignal): Promise<void> {
    if (!this.#explicit) throw loadDisabled();
    if (this.#closing !== undefined) throw notReady(name, 'the server is closing');
    if (!isModelName(name)) throw notFound(name);
    await this.#catalog.load(name, signal);
  }

  async unload(name: string, signal: AbortSignal): Promise<void> {
    if (!this.#explicit) throw loadDisabled();
    await this.#catalog.unload(name, signal);
  }

  statistics(name = '', version = ''): readonly VersionStatistics[] {
    const { models } = this.#catalog;
    if (name !== '' && !models.has(name)) throw notFound(name);
    const list = [...models]
      .filter(([model]) => name === '' || model === name)
      .flatMap(([, model]) => model.versions.toReversed())
      .filter((served) => version === '' || served.version === version);
    if (list.length === 0 && name !== '' && version !== '') throw notFound(name, version);
    return list.map((served) => served.statistics());
  }

  gauges(): readonly VersionGauges[] {
    return [...this.#catalog.models.values()].flatMap((model) =>
      model.versions.map((version) => version.gauges()),
    );
  }

  settled(signal: AbortSignal): Promise<void> {
    return this.#catalog.settled(signal);
  }

  close(signal: AbortSignal): Promise<void> {
    this.#closing ??= this.#catalog.close(signal).finally(() => {
      this.#closed = true;
    });
    return this.#closing;
  }

  get #explicit(): boolean {
    return this.#options.modelControl === 'explicit';
  }

  #pick(name: string, version: string | undefined): ServedVersion {
    const model = this.#catalog.models.get(name);
    if (model === undefined) throw notFound(name);
    return model.pick(version);
  }
}
