/**
 * One cluster for all `*.cluster.test.ts` files: jest's globalSetup starts it, the workers find its facts in
 * the environment. A test that injects faults starts a cluster of its own instead.
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { messageOf } from '../operator/errors.ts';
import { request } from './api.ts';
import { type Cluster, type ClusterFacts, startCluster } from './cluster.ts';
import { existingCluster } from './existing-cluster.ts';

const VARIABLE = 'FORESAIL_TEST_CLUSTER';

/** What globalSetup and globalTeardown, two modules of one process, have in common. */
const running = globalThis as { foresailTestCluster?: Cluster };

/** jest globalSetup */
export default async function setup(): Promise<void> {
  const existing = await existingCluster(process.env);
  if (existing) {
    process.env[VARIABLE] = JSON.stringify(existing);
    return;
  }
  try {
    running.foresailTestCluster = await startCluster();
    process.env[VARIABLE] = JSON.stringify(running.foresailTestCluster); // the facts; handles are functions
  } catch (error) {
    throw new Error(`the cluster of the tests did not start: ${messageOf(error)}`, { cause: error });
  }
}

export async function stopSharedCluster(): Promise<void> {
  if (running.foresailTestCluster) await running.foresailTestCluster.stop();
  else await rm(sharedCluster().runDir, { recursive: true, force: true }); // the copy of an existing cluster's CA
}

/** The cluster that globalSetup started. */
export function sharedCluster(): ClusterFacts {
  const facts = process.env[VARIABLE];
  if (!facts) throw new Error('no shared cluster: run this file in the jest project "cluster"');
  return JSON.parse(facts) as ClusterFacts;
}

export interface Namespace {
  readonly name: string;
  /** Deletes it and all in it; does not wait for the end. */
  delete(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A namespace of its own for a test, usable at once: its default service account exists. */
export async function makeNamespace(
  prefix = 'test',
  cluster: ClusterFacts = sharedCluster(),
): Promise<Namespace> {
  const name = `${prefix}-${randomBytes(4).toString('hex')}`;
  await request(cluster, 'POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
  });
  const remove = async (): Promise<void> => {
    await request(cluster, 'DELETE', `/api/v1/namespaces/${name}`);
  };
  return { name, delete: remove, [Symbol.asyncDispose]: remove };
}
