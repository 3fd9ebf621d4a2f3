/**
 * Phase "route": the weights of a plan in the HTTPRoute that the object names, and whether its gateways go by them.
 *
 * In the CRD `rules` and `backendRefs` are atomic lists, so no field manager can own a weight alone: server-side apply
 * would take the whole of the user's rules. Instead the rules are written as they were read, but for what is ours, and
 * only over the version that was read: no edit of anybody else is lost.
 */
import type { ModelDeployment } from '../../api/index.ts';
import type { Clock } from '../../clock.ts';
import { isForesailError, messageOf } from '../../errors.ts';
import { acceptanceOf } from '../../gateway/acceptance.ts';
import { HTTP_ROUTES, type HttpRoute } from '../../gateway/http-route.ts';
import { weightedRules } from '../../gateway/weights.ts';
import type { Share } from '../../rollout/types.ts';
import { type Client, isConflict, type NewCondition } from '../../runtime/index.ts';
import { createContest } from '../contest.ts';
import { findObject } from '../find-object.ts';
import { reasonOf } from '../reason.ts';
import { mirrorObstacle } from './mirror-support.ts';

export const FIELD_MANAGER = 'foresail-gateway';

/** Weights are looked after when nothing is awaited: nobody tells us when somebody else changes them. */
const LOOK_AGAIN_MS = 5_000;
const AWAIT_MS = 1_000;

export interface Routed {
  /** What may be published: the plan's shares once the gateways go by them, what was published before until then. */
  readonly traffic: readonly Share[];
  readonly condition: NewCondition;
  readonly lookAgainMs: number;
}

export interface RouteWriter {
  /** @throws only what must end the pass: a conflict, after which everything is looked at anew, and an abort */
  write(
    object: ModelDeployment,
    planned: readonly Share[],
    published: readonly Share[],
    signal: AbortSignal,
  ): Promise<Routed>;
}

export function createRouteWriter(
  client: Pick<Client, 'get' | 'mergePatch'>,
  clock: Pick<Clock, 'monotonic'>,
): RouteWriter {
  const contest = createContest(clock);

  async function route(
    { metadata: { namespace, name: model } }: ModelDeployment,
    name: string,
    planned: readonly Share[],
    signal: AbortSignal,
  ): Promise<Outcome> {
    const key = { namespace, name };
    const found = await findObject<HttpRoute>(client, HTTP_ROUTES, key, signal);
    if (found === undefined) return not('RouteNotFound', `there is no HTTPRoute ${name}`);
    const rules = weightedRules(found, model, planned);
    if ('reason' in rules) return not(rules.reason, rules.message);
    let now = found;
    if (rules !== found.spec?.rules) {
      const obstacle = await mirrorObstacle(client, found, planned, signal);
      if (obstacle !== undefined) return not('MirrorNotSupported', obstacle);
      if (!contest.mayWrite(`${namespace}/${name}`, planned))
        return not('RouteContested', contestedBy(found));
      const { resourceVersion } = found.metadata;
      const options = {
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        fieldManager: FIELD_MANAGER,
      };
      now = await client.mergePatch<HttpRoute>(HTTP_ROUTES, key, { spec: { rules } }, options, signal);
      contest.wrote(`${namespace}/${name}`, planned);
    }
    const acceptance = acceptanceOf(now);
    if (!acceptance.accepted)
      return { status: 'Unknown', reason: acceptance.reason, message: acceptance.message };
    return {
      status: 'True',
      reason: 'Accepted',
      message: `the gateways of HTTPRoute ${name} go by these weights`,
    };
  }

  return {
    async write(object, planned, published, signal) {
      const name = object.spec.route?.gateway.httpRouteName ?? '';
      const outcome = await route(object, name, planned, signal).catch((error: unknown): Outcome => {
        if (signal.aborted || isConflict(error) || !isForesailError(error)) throw error;
        return not(reasonOf(error), `HTTPRoute ${name}: ${messageOf(error)}`);
      });
      const { waits, ...condition } = { waits: outcome.status === 'Unknown', ...outcome };
      return {
        traffic: outcome.status === 'True' ? planned : published,
        condition: { type: 'Routed', ...condition },
        lookAgainMs: waits ? AWAIT_MS : LOOK_AGAIN_MS,
      };
    },
  };
}

type Outcome = Omit<NewCondition, 'type'>;

function not(reason: string, message: string): Outcome {
  return { status: 'False', reason, message };
}

function contestedBy({ metadata }: HttpRoute): string {
  const managers = (metadata.managedFields ?? [])
    .filter(({ manager, subresource }) => manager !== FIELD_MANAGER && subresource !== 'status')
    .sort((a, b) => (b.time ?? '').localeCompare(a.time ?? ''));
  const who = managers[0]?.manager ?? 'somebody else';
  return `${who} keeps changing the weights of HTTPRoute ${metadata.name} back; not writing for a while`;
}
