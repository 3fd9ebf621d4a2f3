/**
 * `foresail fetch`: the init container of a version's pods. It ends well only when the pinned file is in its place;
 * kubelet tries again after anything else, and the reason is the last line of its log.
 */
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { fetchArtifact } from '../artifacts/fetch.ts';
import { parseArtifactUri } from '../artifacts/uri.ts';
import { ForesailError } from '../errors.ts';
import { type AddressClass, addressClasses } from '../net/address.ts';
import { apiServersOfPod } from '../net/api-servers.ts';
import { duration, listOf, oneOf, whole } from './flag-values.ts';

interface Flags {
  readonly uri: string;
  readonly sha256: string;
  readonly to: string;
  readonly fileName: string;
  readonly credentials?: string;
  readonly claims: string;
  readonly maxMib: number;
  readonly timeout: number;
  readonly allowAddress: readonly AddressClass[];
  readonly allowFile?: boolean;
  readonly allowHttp?: boolean;
}

const MIB = 1024 * 1024;

export function fetchCommand(): Command {
  return new Command('fetch')
    .description('bring the pinned file of a model to a folder')
    .requiredOption('--uri <uri>', 'https://…, pvc://<claim>/<path>, file:///<path>')
    .addOption(
      new Option('--sha256 <hex>', 'of the file; any other is refused')
        .argParser(digest)
        .makeOptionMandatory(),
    )
    .requiredOption('--to <folder>', 'where it is put')
    .option('--file-name <name>', 'what it is called there', 'model.onnx')
    .option('--credentials <folder>', 'a mounted Secret: token, or username and password; ca.crt')
    .option('--claims <folder>', 'where claims are mounted', '/mnt/pvc')
    .addOption(new Option('--max-mib <MiB>', 'of the file').argParser(whole(1, 1_048_576)).default(4_096))
    .addOption(
      new Option('--timeout <duration>', 'for all of it').argParser(duration).default(1_800_000, '30m'),
    )
    .addOption(
      new Option('--allow-address <classes>', `also connect to these: ${addressClasses.join(', ')}`)
        .argParser(listOf(oneOf(addressClasses)))
        .default([], 'none'),
    )
    .option('--allow-file', 'take file:// URIs')
    .option('--allow-http', 'take http:// URIs and redirects')
    .action((flags: Flags) => run(flags));
}

async function run(flags: Flags): Promise<void> {
  const uri = parseArtifactUri(flags.uri);
  if (uri.scheme === 'http' && flags.allowHttp !== true)
    throw new ForesailError(
      'ARTIFACT_URI_INVALID',
      'terminal',
      `${uri.url.origin}: http:// is not allowed here`,
    );
  const { bytes, cached } = await fetchArtifact(
    uri,
    join(flags.to, flags.fileName),
    { sha256: flags.sha256, maxBytes: flags.maxMib * MIB },
    {
      guard: { allowed: new Set(flags.allowAddress), apiServers: apiServersOfPod },
      allowHttp: flags.allowHttp === true,
      allowFile: flags.allowFile === true,
      claims: flags.claims,
      ...(flags.credentials === undefined ? {} : { credentials: flags.credentials }),
    },
    AbortSignal.timeout(flags.timeout),
  );
  process.stdout.write(`${JSON.stringify({ sha256: flags.sha256, bytes, cached })}\n`);
}

function digest(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('it is 64 hex digits in lower case.');
}
