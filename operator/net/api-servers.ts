/** Where the API server is, as kubelet tells every container in its environment; nothing outside of a pod. */
import type { Endpoint } from './address.ts';

export function apiServersOfPod(): readonly Endpoint[] {
  const { KUBERNETES_SERVICE_HOST: address, KUBERNETES_SERVICE_PORT: port } = process.env;
  return address === undefined || port === undefined ? [] : [{ address, port: Number(port) }];
}
