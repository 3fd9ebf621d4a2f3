/** The guard in front of every gRPC call, at its metadata: a refused call's message is never taken in. */

import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import type { Guard } from '../access/guard.ts';
import { faultOf } from '../wire/errors.ts';
import type { Wire } from '../wire.ts';
import { statusOf } from './handlers.ts';

const SERVICE = '/inference.GRPCInferenceService';
const OPEN = new Set([`${SERVICE}/ServerLive`, `${SERVICE}/ServerReady`]);
const CONTROL = new Set([`${SERVICE}/RepositoryModelLoad`, `${SERVICE}/RepositoryModelUnload`]);

export function guardInterceptor({ metrics, clock }: Wire, guard: Guard): ServerInterceptor {
  return ({ path }, call) => {
    if (OPEN.has(path)) return new ServerInterceptingCall(call);
    const gone = new AbortController();
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, goOn) {
            const started = clock.monotonic();
            const credentials = {
              address: call.getConnectionInfo().remoteAddress ?? '',
              authorization: metadata.get('authorization')[0]?.toString(),
              certificate: () => call.getAuthContext().sslPeerCertificate,
            };
            const asked = { path, verb: 'post', control: CONTROL.has(path) } as const;
            guard.enter(credentials, asked, gone.signal).then(
              () => goOn(metadata),
              (error: unknown) => {
                const fault = faultOf(error);
                metrics.call('grpc', fault.outcome, (clock.monotonic() - started) / 1_000);
                // oxlint-disable-next-line no-unsafe-enum-assignment -- the table has the same numbers, by name
                call.sendStatus(statusOf(fault));
              },
            );
          },
          onCancel: () => gone.abort(new Error('the caller went away')),
        }),
    });
  };
}
