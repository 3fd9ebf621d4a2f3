/**
 * ModelDeployments as PredictiveScalers see them: `forecast.model` names one, its stable version acts, and while a new
 * version proves itself both are asked. Versions are found in the status that the rollout writes, so this room decides
 * nothing about them.
 */
import { Agent } from 'undici';
import { type ModelDeployment, parseModelDeployment, versionName } from '../../api/index.ts';
import type { Clock } from '../../clock.ts';
import { isForesailError } from '../../errors.ts';
import type { FailedAttempt, Forecaster } from '../../forecast/types.ts';
import { Batcher } from '../../inference/batcher.ts';
import { batchedLink, type ChainLink, failedAttempt } from '../../inference/chain.ts';
import { type AddressGuard, guardedConnector } from '../../net/guarded-connector.ts';
import { comparedIn } from '../../rollout/compared.ts';
import type { KubeObject, Store } from '../../runtime/index.ts';
import { stateOf } from '../modeldeployment/state.ts';
import { resting } from './resting.ts';
import { VersionClient } from './version-client.ts';

/** A version that can be asked for forecasts. */
export interface ServedVersion {
  readonly version: number;
  /** `sha256:…` */
  readonly digest: string;
  /** Gathers the windows of all scalers into runs. */
  readonly link: ChainLink;
  /** As it is, for replays of a past. */
  readonly forecaster: Forecaster;
  /** Why it did not answer when it was asked last. */
  readonly failure: FailedAttempt | undefined;
}

export type NamedModel =
  | {
      readonly kind: 'absent';
      readonly reason: 'ModelServingDisabled' | 'ModelNotFound' | 'ModelNotForecast' | 'ModelNotServing';
      /** For people. */
      readonly message: string;
    }
  | {
      readonly kind: 'served';
      /** uid of the ModelDeployment. */
      readonly uid: string;
      readonly acting: ServedVersion;
      readonly compared: ComparedVersions | undefined;
    };

/** One of the two acts. */
export interface ComparedVersions {
  readonly candidate: ServedVersion;
  readonly baseline: ServedVersion;
  readonly margin: number;
  readonly minLabels: number;
}

export interface ServedModels {
  named(namespace: string, name: string): NamedModel;
  close(): Promise<void>;
}

export interface ServedModelsOptions {
  readonly objects: Pick<Store<KubeObject>, 'get' | 'list'>;
  readonly guard: AddressGuard;
  /** URL of a version's Service, `{service}` and `{namespace}` in it being replaced. */
  readonly address: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

interface Opened extends ServedVersion {
  readonly uid: string;
  readonly batcher: Batcher;
}

/** 64 windows of the longest horizon and most levels that the contract allows, and some room. */
const MOST_BYTES = 32 * 1024 * 1024;
const CONNECT_MS = 1_000;

/** Where no ModelDeployment is served. */
export const NO_SERVED_MODELS: ServedModels = {
  named: (_, name) => ({
    kind: 'absent',
    reason: 'ModelServingDisabled',
    message: `forecast.model names the ModelDeployment ${name}, and modelServing.enabled is false`,
  }),
  close: () => Promise.resolve(),
};

export function createServedModels(options: ServedModelsOptions): ServedModels {
  const { objects, guard, address, timeoutMs, clock } = options;
  const opened = new Map<string, Opened>();
  /** A version was opened: another one may have gone. */
  let opens = false;
  const parsed = new WeakMap<KubeObject, ModelDeployment>();
  const agent = new Agent({
    connect: (to, callback) => {
      const port = Number(to.port) || (to.protocol === 'https:' ? 443 : 80);
      guardedConnector(guard, port, {}, CONNECT_MS)(to, callback);
    },
    maxResponseSize: MOST_BYTES,
  });

  function objectOf(key: string): ModelDeployment | undefined {
    const stored = objects.get(key);
    if (stored === undefined) return undefined;
    let object = parsed.get(stored);
    if (object === undefined) parsed.set(stored, (object = parseModelDeployment(stored)));
    return object;
  }

  function open({ metadata }: ModelDeployment, version: number, digest: string): ServedVersion {
    const { uid = '', name, namespace } = metadata;
    const key = `${uid} ${version} ${digest}`;
    const before = opened.get(key);
    if (before !== undefined) return before;
    const baseUrl = address
      .replaceAll('{service}', versionName(name, version))
      .replaceAll('{namespace}', namespace);
    const client = new VersionClient(
      { model: name, version, digest, baseUrl },
      { dispatcher: agent, timeoutMs },
    );
    const server = resting(client, clock);
    const batcher = new Batcher(server, { clock });
    const fresh = {
      uid,
      version,
      digest: `sha256:${digest}`,
      link: batchedLink(batcher),
      forecaster: client,
      get failure() {
        return server.failure === undefined ? undefined : failedAttempt(client.id, server.failure);
      },
      batcher,
    };
    opened.set(key, fresh);
    opens = true;
    return fresh;
  }

  /** Lets go of versions that nobody serves any more; rare, for every scaler comes by at each of its looks. */
  function sweep(uid: string, versions: readonly (ServedVersion | undefined)[]): void {
    const living = new Set(objects.list().map(({ metadata }) => metadata.uid));
    for (const [key, one] of opened) {
      if (one.uid === uid ? versions.includes(one) : living.has(one.uid)) continue;
      opened.delete(key);
      void one.batcher.close();
    }
  }

  return {
    named(namespace, name) {
      let object: ModelDeployment | undefined;
      try {
        object = objectOf(`${namespace}/${name}`);
      } catch (error) {
        if (!isForesailError(error, 'SPEC_INVALID')) throw error;
        return absent('ModelNotServing', `the ModelDeployment ${name} is invalid: ${error.message}`);
      }
      if (object === undefined)
        return absent('ModelNotFound', `there is no ModelDeployment ${name} in this namespace`);
      if (object.spec.task !== 'forecast')
        return absent('ModelNotForecast', `the ModelDeployment ${name} has the task ${object.spec.task}`);
      const state = stateOf(object.status);
      const versionOf = (version: number): ServedVersion | undefined => {
        const digest = state.history.find((record) => record.version === version)?.digest;
        return digest === undefined ? undefined : open(object, version, digest);
      };
      const acting = state.stable === undefined ? undefined : versionOf(state.stable);
      if (acting === undefined)
        return absent('ModelNotServing', `the ModelDeployment ${name} has no version that serves yet`);
      const pair = isReady(object) ? comparedIn(state) : undefined;
      const candidate = pair && versionOf(pair.candidate);
      const baseline = pair && versionOf(pair.baseline);
      const uid = object.metadata.uid ?? '';
      const { margin, minLabels } = object.spec.rollout.judge;
      const compared = candidate && baseline && { candidate, baseline, margin: Number(margin), minLabels };
      if (opens) sweep(uid, [acting, candidate, baseline]);
      opens = false;
      return { kind: 'served', uid, acting, compared };
    },
    async close() {
      await Promise.all([...opened.values()].map(({ batcher }) => batcher.close()));
      await agent.close();
    },
  };
}

/** A new version without a ready pod is not asked: its pods have a deadline of their own. */
function isReady({ status }: ModelDeployment): boolean {
  return status?.canary === undefined || status.canary.readyReplicas > 0;
}

function absent(reason: Extract<NamedModel, { kind: 'absent' }>['reason'], message: string): NamedModel {
  return { kind: 'absent', reason, message };
}
