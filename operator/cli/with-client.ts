/** A client of the API server for the time of one command. */
import { systemClock } from '../clock.ts';
import { KubeClient, loadConnection, Transport } from '../runtime/index.ts';

/** @param kubeconfig a file; undefined: KUBECONFIG or ~/.kube/config */
export async function withClient(
  kubeconfig: string | undefined,
  work: (client: KubeClient) => Promise<void>,
): Promise<void> {
  const connection = await loadConnection(kubeconfig === undefined ? {} : { kubeconfig });
  const transport = new Transport(connection, { clock: systemClock });
  try {
    await work(new KubeClient(transport, { userAgent: 'foresail-cli' }));
  } finally {
    await transport.close();
  }
}
