/**
 * `foresail fetch`: the init container of a version's pods. It ends well only when the pinned file is in its place;
 * kubelet tries again after anything else, and the reason is the last line of its log.
 */
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { fetchArtifact } from '../artifacts/fetch.ts';
import { IDLE_MS } from '../artifacts/http.ts';
import { RETRIES } from '../artifacts/resume.ts';
import { parseArtifactUri } from '../artifacts/uri.ts';
import { ForesailError } from '../errors.ts';
import { type AddressClass, addressClasses } from '../net/address.ts';
import { apiServersOfPod } from '../net/api-servers.ts';
import { duration, listOf, oneOf, whole } from './flag-values.ts';
import { interruptible } from './interrupt.ts';

interface Flags {
  readonly uri: string;
  readonly sha256: string;
  readonly to: string;
  readonly fileName: string;
  readonly credentials?: string;
  readonly claims: string;
  readonly maxMib: number;
  readonly timeout: number;
  readonly idleTimeout: number;
  readonly retries: number;
  readonly cache?: string;
  readonly cacheMaxMib: number;
  readonly workloadIdentity?: boolean;
  readonly allowAddress: readonly AddressClass[];
  readonly allowFile?: boolean;
  readonly allowHttp?: boolean;
}

const MIB = 1024 * 1024;

export function fetchCommand(): Command {
  return new Command('fetch')
    .description('bring the pinned file of a model to a folder')
    .requiredOption('--uri <uri>', 'of one of s3, gs, https, oci, hf, pvc, file')
    .addOption(
      new Option('--sha256 <hex>', 'of the file; any other is refused')
        .argParser(digest)
        .makeOptionMandatory(),
    )
    .requiredOption('--to <folder>', 'where it is put')
    .option('--file-name <name>', 'what it is called there', 'model.onnx')
    .option('--credentials <folder>', 'a mounted Secret; its keys depend on the store')
    .option('--workload-identity', 'be who the cloud says that this pod is, where the Secret names nobody')
    .option('--claims <folder>', 'where claims are mounted', '/mnt/pvc')
    .addOption(new Option('--max-mib <MiB>', 'of the file').argParser(whole(1, 1_048_576)).default(4_096))
    .addOption(
      new Option('--timeout <duration>', 'for all of it').argParser(duration).default(1_800_000, '30m'),
    )
    .addOption(
      new Option('--idle-timeout <duration>', 'between two pieces of the file')
        .argParser(duration)
        .default(IDLE_MS, '30s'),
    )
    .addOption(
      new Option('--retries <n>', 'after what may pass').argParser(whole(0, 100)).default(RETRIES.most),
    )
    .option('--cache <folder>', 'where files are kept by their digest, for the next pod')
    .addOption(
      new Option('--cache-max-mib <MiB>', 'of all files in it')
        .argParser(whole(1, 67_108_864))
        .default(20_480),
    )
    .addOption(
      new Option('--allow-address <classes>', `also connect to these: ${addressClasses.join(', ')}`)
        .argParser(listOf(oneOf(addressClasses)))
        .default([], 'none'),
    )
    .option('--allow-file', 'take file:// URIs')
    .option('--allow-http', 'take http:// URIs and redirects')
    .action((flags: Flags) =>
      interruptible((signal) => run(flags, AbortSignal.any([signal, AbortSignal.timeout(flags.timeout)]))),
    );
}

async function run(flags: Flags, signal: AbortSignal): Promise<void> {
  const uri = parseArtifactUri(flags.uri);
  if (uri.scheme === 'http' && flags.allowHttp !== true)
    throw new ForesailError(
      'ARTIFACT_URI_INVALID',
      'terminal',
      `${uri.url.origin}: http:// is not allowed here`,
    );
  const note = (text: string): void => {
    process.stderr.write(`foresail: ${text}\n`);
  };
  const fetched = await fetchArtifact(
    uri,
    join(flags.to, flags.fileName),
    { sha256: flags.sha256, maxBytes: flags.maxMib * MIB },
    {
      guard: { allowed: new Set(flags.allowAddress), apiServers: apiServersOfPod },
      allowHttp: flags.allowHttp === true,
      allowFile: flags.allowFile === true,
      claims: flags.claims,
      idleMs: flags.idleTimeout,
      retries: { most: flags.retries, note },
      ...(flags.credentials === undefined ? {} : { credentials: flags.credentials }),
      ...(flags.workloadIdentity === true ? { identity: process.env } : {}),
      ...(flags.cache === undefined
        ? {}
        : { cache: { folder: flags.cache, maxBytes: flags.cacheMaxMib * MIB, nowMs: Date.now, note } }),
    },
    signal,
  );
  process.stdout.write(`${JSON.stringify({ sha256: flags.sha256, ...fetched })}\n`);
}

function digest(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('it is 64 hex digits in lower case.');
}
