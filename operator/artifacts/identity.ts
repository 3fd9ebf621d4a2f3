/**
 * Who the pod is to its cloud (workload identity), where the administrator's list let it have a service account.
 *
 * The clouds' own agents for this answer on link-local addresses, which no URI and no redirect ever reaches. They are
 * reached here alone: at fixed addresses, or those that the cloud's webhook wrote into the pod's environment, which no
 * field of a ModelDeployment can write; without redirects; and what they answer goes nowhere but to the cloud's store.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { ForesailError, messageOf } from '../errors.ts';
import { bytesOf, type Http, invalidAnswer, jsonOf, openHttp, statusError } from './http.ts';

export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** A token of a projected volume that AWS takes for the keys of a role. */
export interface AwsWebIdentity {
  readonly roleArn: string;
  readonly webIdentityTokenFile: string;
  /** Of the token service; absent: the region's. */
  readonly endpoint?: string;
}

export interface Identity {
  /** @throws ARTIFACT_CREDENTIALS when nothing in the pod says who it is */
  aws(signal: AbortSignal): Promise<AwsKeys | AwsWebIdentity>;
  readonly awsRegion: string | undefined;
  /** An access token of the pod's service account. */
  google(signal: AbortSignal): Promise<string>;
}

const MOST_BYTES = 65_536;
/** Where to look when a store denies the file to this pod. */
export const IDENTITY_HINT =
  'look at the annotations of spec.serviceAccountName, and at what its role may read';

const awsAnswer = z.object({ AccessKeyId: z.string(), SecretAccessKey: z.string(), Token: z.string() });
const googleAnswer = z.object({ access_token: z.string() });

/** @param env of the process */
export function identityOf(env: Readonly<Record<string, string | undefined>>): Identity {
  const ask = async (url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal) => {
    const http = agents();
    try {
      const answer = await http.send(
        { origin: url.origin, path: `${url.pathname}${url.search}`, headers },
        signal,
      );
      if (answer.statusCode !== 200) throw statusError(url.origin, answer.statusCode, IDENTITY_HINT);
      return jsonOf(url.origin, await bytesOf(url.origin, answer, MOST_BYTES, signal));
    } finally {
      await http.close();
    }
  };
  return {
    awsRegion: env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'],
    async aws(signal) {
      const { AWS_ROLE_ARN: roleArn, AWS_WEB_IDENTITY_TOKEN_FILE: webIdentityTokenFile } = env;
      if (roleArn !== undefined && webIdentityTokenFile !== undefined) {
        const endpoint = env['AWS_ENDPOINT_URL_STS'];
        return { roleArn, webIdentityTokenFile, ...(endpoint === undefined ? {} : { endpoint }) };
      }
      const url = URL.parse(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '');
      if (url === null)
        throw new ForesailError(
          'ARTIFACT_CREDENTIALS',
          'terminal',
          `the pod has no AWS identity (neither AWS_ROLE_ARN nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set): ${IDENTITY_HINT}`,
        );
      const authorization = await agentToken(env);
      const keys = awsAnswer.safeParse(
        await ask(url, authorization === undefined ? {} : { authorization }, signal),
      );
      if (!keys.success) throw invalidAnswer(url.origin, 'holds no keys');
      const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken } = keys.data;
      return { accessKeyId, secretAccessKey, sessionToken };
    },
    async google(signal) {
      const host = env['GCE_METADATA_HOST'] ?? '169.254.169.254';
      const url = new URL(`http://${host}/computeMetadata/v1/instance/service-accounts/default/token`);
      const token = googleAnswer.safeParse(await ask(url, { 'metadata-flavor': 'Google' }, signal));
      if (!token.success) throw invalidAnswer(url.origin, 'holds no access token');
      return token.data.access_token;
    },
  };
}

function agents(): Http {
  return openHttp({
    guard: { allowed: new Set(['linkLocal', 'metadata', 'loopback']), apiServers: () => [] },
    allowHttp: true,
  });
}

async function agentToken(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const file = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  if (file === undefined) return undefined;
  const token = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ForesailError('ARTIFACT_CREDENTIALS', 'terminal', `${file}: ${messageOf(cause)}`, { cause });
  });
  return token.trim();
}
