/** The flags of `foresail serve` as they are read; times in milliseconds. What each means stands in serve.ts. */
import type { AddressClass } from '../net/address.ts';
import type { LogLevel } from '../observability/logger.ts';
import type { AuthResource } from '../server/access/authentication.ts';
import type { PayloadKind } from '../server/around/payload-kinds.ts';
import type { Accelerator } from '../server/core/types.ts';

export interface ServeFlags {
  readonly modelRepository: string;
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly grpc: boolean;
  readonly allowRepositoryControl?: boolean;
  readonly poll?: number;
  readonly accelerator: Accelerator;
  readonly instances: number;
  readonly maxBatch: number;
  readonly maxQueueDelay: number;
  readonly maxQueue: number;
  readonly latencyTarget?: number;
  readonly maxRequestMib: number;
  readonly maxMemoryMib: number;
  readonly maxConcurrent: number;
  readonly maxConnections: number;
  readonly tlsCertFile?: string;
  readonly tlsPrivateKeyFile?: string;
  readonly clientCaFile?: string;
  readonly auth: 'none' | 'token' | 'mtls';
  readonly authTokenAudiences: readonly string[];
  readonly authAllow?: readonly string[];
  readonly authResource?: AuthResource;
  readonly kubeconfig?: string;
  readonly rateLimit?: number;
  readonly rateBurst?: number;
  readonly responseCacheMib: number;
  readonly logPayloadsUrl?: URL;
  readonly logPayloadsSample: number;
  readonly logPayloads: readonly PayloadKind[];
  readonly logPayloadsAllowAddress: readonly AddressClass[];
  readonly drain: number;
  readonly shutdownTimeout: number;
  readonly logLevel: LogLevel;
}
