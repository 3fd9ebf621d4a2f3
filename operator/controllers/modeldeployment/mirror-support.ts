/** Asks the gateways of a route, by their classes, whether they can copy requests to a shadow. */
import {
  GATEWAY_CLASSES,
  GATEWAYS,
  type Gateway,
  type GatewayClass,
  gatewaysOf,
  missingFeature,
  neededFeatures,
} from '../../gateway/features.ts';
import type { HttpRoute } from '../../gateway/http-route.ts';
import type { Share } from '../../rollout/types.ts';
import type { Client } from '../../runtime/index.ts';
import { findObject } from '../find-object.ts';

/** Why these shares must not be written into the route; undefined when no gateway says that it cannot go by them. */
export async function mirrorObstacle(
  client: Pick<Client, 'get'>,
  route: HttpRoute,
  shares: readonly Share[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const needed = neededFeatures(shares);
  if (needed.length === 0) return undefined;
  for (const key of gatewaysOf(route)) {
    // oxlint-disable-next-line no-await-in-loop -- a route has one gateway or two
    const gateway = await findObject<Gateway>(client, GATEWAYS, key, signal);
    const name = gateway?.spec?.gatewayClassName;
    if (name === undefined) continue;
    // oxlint-disable-next-line no-await-in-loop -- see above
    const found = await findObject<GatewayClass>(client, GATEWAY_CLASSES, { namespace: '', name }, signal);
    const missing = found && missingFeature(found, needed);
    if (missing !== undefined)
      return `gateway ${key.name} cannot copy requests to a shadow: its class ${name} does not list ${missing}; take the shadow out of the steps`;
  }
  return undefined;
}
