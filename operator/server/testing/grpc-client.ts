/** Clients of the gRPC service for tests, closed after each. */
import {
  type ChannelCredentials,
  type Client,
  credentials,
  type Metadata,
  makeClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterEach } from '@jest/globals';
import { loadService } from '../grpc/server.ts';

type Method = (
  request: object,
  ...rest: [...(Metadata | object)[], (error: ServiceError | null, answer: unknown) => void]
) => void;

export type GrpcCall = <Answer>(
  method: string,
  request: object,
  ...rest: (Metadata | object)[]
) => Promise<Answer>;

export function grpcClients(): (address: string, how?: ChannelCredentials) => GrpcCall {
  const Stub = makeClientConstructor(loadService(), 'inference');
  const clients: Client[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  return (address, how = credentials.createInsecure()) => {
    const client = new Stub(address, how);
    clients.push(client);
    return <Answer>(method: string, request: object, ...rest: (Metadata | object)[]) =>
      new Promise<Answer>((resolve, reject) =>
        (client[method] as Method).call(client, request, ...rest, (error, answer) =>
          error === null ? resolve(answer as Answer) : reject(error),
        ),
      );
  };
}
