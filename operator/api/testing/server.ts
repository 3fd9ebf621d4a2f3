/** The API server as a judge: would it take this object, and what would it make of it? */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request, StatusError } from '../../../e2e/api.ts';
import type { ClusterFacts } from '../../../e2e/cluster.ts';
import { established } from '../../../e2e/crd.ts';
import { eventually } from '../../../e2e/eventually.ts';
import { kubectl } from '../../../e2e/kubectl.ts';
import { KINDS } from '../generate/kinds.ts';
import { PREDICTIVE_SCALER } from '../predictivescaler/kind.ts';
import { GROUP, type KindNames, VERSION } from '../schema/kind.ts';

export type Verdict =
  | { readonly accepted: true; readonly spec: Record<string, unknown> }
  | { readonly accepted: false; readonly message: string; readonly causes?: readonly Cause[] };

/** One reason of a refusal, as the server lists them. */
export interface Cause {
  readonly field: string;
  readonly message: string;
}

/** Installs the committed CRDs, or brings installed ones up to them, and waits until they are served. */
export async function installCrd(cluster: ClusterFacts): Promise<void> {
  for (const { names } of KINDS) await install(cluster, names);
}

async function install(cluster: ClusterFacts, { plural }: KindNames): Promise<void> {
  const before = await crdGeneration(cluster, plural);
  const file = fileURLToPath(new URL(`../../../crds/${GROUP}_${plural}.yaml`, import.meta.url));
  await kubectl(cluster, ['apply', '--server-side', '--force-conflicts', '-f', file]);
  await established(cluster, `${plural}.${GROUP}`);
  await eventually('the kind is served', () =>
    request(cluster, 'GET', `/apis/${GROUP}/${VERSION}/${plural}`),
  );
  // A changed schema takes effect a moment after the write, and nothing on the server says when.
  if (before !== undefined && before !== (await crdGeneration(cluster, plural))) await sleep(3000);
}

async function crdGeneration(cluster: ClusterFacts, plural: string): Promise<number | undefined> {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.${GROUP}`;
  try {
    const { metadata } = await request<{ metadata: { generation: number } }>(cluster, 'GET', path);
    return metadata.generation;
  } catch (error) {
    if (error instanceof StatusError && error.status === 404) return undefined;
    throw error;
  }
}

/** @param namespace undefined for a kind of the whole cluster */
export function resourcePath(
  namespace: string | undefined,
  name = '',
  { plural }: Pick<KindNames, 'plural'> = PREDICTIVE_SCALER,
): string {
  const where = namespace === undefined ? '' : `namespaces/${namespace}/`;
  return `/apis/${GROUP}/${VERSION}/${where}${plural}${name && `/${name}`}`;
}

/** Validation and defaulting as a `kubectl create` has them, unknown fields refused; nothing is stored. */
export async function judge(cluster: ClusterFacts, path: string, object: unknown): Promise<Verdict> {
  try {
    const { spec } = await request<{ spec: Record<string, unknown> }>(
      cluster,
      'POST',
      `${path}?dryRun=All&fieldValidation=Strict`,
      object,
    );
    return { accepted: true, spec };
  } catch (error) {
    if (!(error instanceof StatusError) || (error.status !== 422 && error.status !== 400)) throw error;
    return { accepted: false, message: error.message, causes: causesOf(error.message) };
  }
}

function causesOf(message: string): Cause[] {
  const status = JSON.parse(message.slice(message.indexOf('{'))) as { details?: { causes?: Cause[] } };
  return status.details?.causes ?? [];
}
