/** A client whose writes pass only while this process leads: the check is repeated as the first byte leaves. */
import type { KubeClient } from '../kube/client.ts';
import type { Client, Fence } from './types.ts';

export function fencedClient(client: KubeClient, fence: Fence): Client {
  return client.withWriteGuard(() => fence.assertLeading());
}

/** For tools and tests without leader election. */
export const alwaysLeading: Fence = { isLeading: true, assertLeading: () => undefined };
