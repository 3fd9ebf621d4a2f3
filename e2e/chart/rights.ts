/** Rights granted by roles and rights used according to the audit log, in one form: "verb group/resource". */
import { readFile } from 'node:fs/promises';
import type { AuditEntry } from '../../operator/testing/server-side.ts';

export interface PolicyRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

/** In these groups the resource is the name of a metric. */
const METRIC_GROUPS = new Set(['custom.metrics.k8s.io', 'external.metrics.k8s.io']);

export function grantedRights(rules: readonly PolicyRule[]): ReadonlySet<string> {
  const rights = rules.flatMap(({ apiGroups = [], resources = [], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => right(verb, group, resource))),
    ),
  );
  return new Set(rights);
}

/** Discovery is everybody's right and left out. */
export function usedRights(events: readonly AuditEntry[]): ReadonlySet<string> {
  return new Set(
    events.flatMap(({ verb, objectRef }) => {
      if (objectRef?.resource === undefined) return [];
      const { apiGroup = '', resource, subresource } = objectRef;
      if (METRIC_GROUPS.has(apiGroup)) return [right(verb, apiGroup, '*')];
      return [right(verb, apiGroup, subresource === undefined ? resource : `${resource}/${subresource}`)];
    }),
  );
}

/** Every request that `username` made so far. */
export async function requestsOf(username: string, auditLogPath: string): Promise<readonly AuditEntry[]> {
  const text = await readFile(auditLogPath, 'utf8');
  return text
    .split('\n')
    .filter((line) => line.includes(username))
    .map((line) => JSON.parse(line) as AuditEntry)
    .filter(({ user }) => user.username === username);
}

/** Refused for want of a right; in a namespace that is being deleted nobody may create anything. */
export function forbidden(events: readonly AuditEntry[]): readonly string[] {
  const isLeaving = ({ responseStatus }: AuditEntry) =>
    responseStatus?.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false;
  return events
    .filter((event) => event.responseStatus?.code === 403 && !isLeaving(event))
    .map(({ verb, requestURI }) => `${verb} ${requestURI}`);
}

/** What is in `a` and not in `b`, sorted. */
export function without(a: ReadonlySet<string>, b: ReadonlySet<string>): readonly string[] {
  return [...a].filter((text) => !b.has(text)).sort();
}

function right(verb: string, group: string, resource: string): string {
  return `${verb} ${group === '' ? '' : `${group}/`}${resource}`;
}
