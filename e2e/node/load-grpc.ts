/**
 * Calls of the Open Inference Protocol over gRPC, for load.ts. A channel lives as long as its router: a few of them take
 * turns, so that a Service has something to spread.
 */
import { type Client, credentials, makeClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import { loadService } from '../../operator/server/grpc/server.ts';

const CHANNELS = 6;

type Infer = (
  request: object,
  options: { readonly deadline: number },
  answered: (error: ServiceError | null) => void,
) => ReturnType<Client['makeUnaryRequest']>;

/** @param url grpc://HOST:PORT/AUTHORITY, where the authority says which model */
export function grpcSender(url: string, request: object, timeoutMs: number) {
  const { host, pathname } = new URL(url);
  const Stub = makeClientConstructor(loadService(), 'inference');
  const channels = Array.from(
    { length: CHANNELS },
    () =>
      new Stub(host, credentials.createInsecure(), {
        'grpc.default_authority': pathname.slice(1),
        // Otherwise all of them share one connection.
        'grpc.use_local_subchannel_pool': 1,
      }),
  );
  let turn = 0;
  /** One call. */
  return (finish: (error?: string, version?: string) => void): void => {
    const channel = channels[(turn += 1) % CHANNELS]!;
    let version: string | undefined;
    const call = (channel['ModelInfer'] as Infer).call(
      channel,
      request,
      { deadline: Date.now() + timeoutMs },
      (error) => finish(error === null ? undefined : `${status[error.code]}: ${error.details}`, version),
    );
    call.on('metadata', (metadata) => {
      const [told] = metadata.get('foresail-model-version');
      if (typeof told === 'string') version = told;
    });
  };
}
