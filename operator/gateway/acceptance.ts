/** Whether every gateway that a route is for goes by the newest of what the route says. */
import { GATEWAY_GROUP, type HttpRoute, type ParentRef } from './http-route.ts';

export type Acceptance =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly reason: string; readonly message: string };

export function acceptanceOf({ metadata, spec, status }: HttpRoute): Acceptance {
  const { generation = 0, namespace = '' } = metadata;
  const parents = spec?.parentRefs ?? [];
  if (parents.length === 0)
    return { accepted: false, reason: 'NoParents', message: 'the route is for no gateway' };
  for (const parent of parents) {
    const entry = status?.parents?.find(
      ({ parentRef }) => keyOf(parentRef, namespace) === keyOf(parent, namespace),
    );
    const condition = (type: string) => entry?.conditions?.find((each) => each.type === type);
    const accepted = condition('Accepted');
    if (accepted === undefined || (accepted.observedGeneration ?? 0) < generation)
      return {
        accepted: false,
        reason: 'WaitingForGateway',
        message: `gateway ${parent.name} has not taken generation ${generation} of the route yet`,
      };
    for (const [each, wanted] of [
      [accepted, 'True'],
      [condition('ResolvedRefs'), 'True'],
      // Rules were dropped, or those of an older generation are in force.
      [condition('PartiallyInvalid'), 'False'],
    ] as const)
      if (each !== undefined && each.status !== wanted)
        return {
          accepted: false,
          reason: each.reason ?? 'NotAccepted',
          message: `gateway ${parent.name}: ${each.type} is ${each.status}${each.message === undefined || each.message === '' ? '' : `, ${each.message}`}`,
        };
  }
  return { accepted: true };
}

/** With the defaults that the API server may or may not have filled in. */
function keyOf(
  { group = GATEWAY_GROUP, kind = 'Gateway', namespace, name, sectionName = '', port = 0 }: ParentRef,
  own: string,
): string {
  return JSON.stringify([group, kind, namespace ?? own, name, sectionName, port]);
}
