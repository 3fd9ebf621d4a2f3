/** `foresail serve`: ONNX models of a repository over the Open Inference Protocol v2, HTTP and gRPC. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { addressClasses } from '../net/address.ts';
import type { AuthResource } from '../server/access/authentication.ts';
import { PAYLOAD_KINDS } from '../server/around/payload-kinds.ts';
import { duration, gathered, listOf, oneOf, share, whole } from './flag-values.ts';
import type { ServeFlags } from './serve-flags.ts';

export function serveCommand(): Command {
  const option = (flags: string, text: string) => new Option(flags, text);
  return new Command('serve')
    .description('serve ONNX models over the Open Inference Protocol v2, HTTP and gRPC')
    .requiredOption('--model-repository <folder>', 'holds <model>/<version>/model.onnx')
    .option('--host <address>', 'where to listen', '0.0.0.0')
    .addOption(option('--http-port <port>', '0 takes a free one').argParser(whole(0, 65_535)).default(8080))
    .addOption(option('--grpc-port <port>', '0 takes a free one').argParser(whole(0, 65_535)).default(8081))
    .option('--no-grpc', 'HTTP alone')
    .option('--allow-repository-control', 'let callers load and unload models')
    .addOption(
      option('--poll <duration>', 'look for changed models this often')
        .argParser(duration)
        .conflicts('allowRepositoryControl'),
    )
    .addOption(
      option('--accelerator <kind>', 'where models run')
        .choices(['auto', 'cpu', 'cuda', 'tensorrt'])
        .default('auto'),
    )
    .addOption(option('--instances <count>', 'processes per version').argParser(whole(1, 64)).default(1))
    .addOption(
      option('--max-batch <rows>', 'of one run; 1: no batching').argParser(whole(1, 65_536)).default(64),
    )
    .addOption(
      option('--max-queue-delay <duration>', 'how long a request waits for company')
        .argParser(duration)
        .default(0, '0s'),
    )
    .addOption(
      option('--max-queue <requests>', 'that wait for one version')
        .argParser(whole(1, 1_000_000))
        .default(1_000),
    )
    .addOption(
      option(
        '--latency-target <duration>',
        'picks the batch size; what would take longer is refused',
      ).argParser(duration),
    )
    .addOption(
      option('--max-request-mib <MiB>', 'one request, unpacked').argParser(whole(1, 2_047)).default(64),
    )
    .addOption(
      option('--max-memory-mib <MiB>', 'all requests under way').argParser(whole(1, 1_048_576)).default(256),
    )
    .addOption(
      option('--max-concurrent <calls>', 'under way at once, waiting ones included')
        .argParser(whole(1, 1_000_000))
        .default(2_048),
    )
    .addOption(
      option('--max-connections <count>', 'open at once, for each protocol')
        .argParser(whole(1, 1_000_000))
        .default(4_096),
    )
    .option('--tls-cert-file <file>', 'serve TLS, HTTP and gRPC; read again when it is renewed')
    .option('--tls-private-key-file <file>', 'of the certificate')
    .option('--client-ca-file <file>', 'authorities of client certificates')
    .addOption(
      option('--auth <how>', 'callers show: nothing, a token of the cluster, a client certificate')
        .choices(['none', 'token', 'mtls'])
        .default('none'),
    )
    .addOption(
      option('--auth-token-audiences <names>', 'a token must be meant for one of these')
        .argParser(listOf(String))
        .default([], "the API server's own"),
    )
    .option(
      '--auth-allow <name>',
      'a user or group, or a name of a certificate; may be repeated; without it RBAC decides, or every certificate passes',
      gathered,
    )
    .addOption(
      option(
        '--auth-resource <resource>',
        'RBAC is asked for get and update of <plural>.<group>/<namespace>/<name> instead of the path',
      ).argParser(authResource),
    )
    .option('--kubeconfig <file>', 'of the API server that knows tokens; default: as kubectl, or the pod')
    .addOption(
      option('--rate-limit <calls>', 'a second, for each caller; off without it').argParser(
        whole(1, 1_000_000),
      ),
    )
    .addOption(
      option(
        '--rate-burst <calls>',
        'at once after a pause; default: two seconds of the rate limit',
      ).argParser(whole(1, 1_000_000)),
    )
    .addOption(
      option('--response-cache-mib <MiB>', 'answers of identical requests are kept; 0: none')
        .argParser(whole(0, 65_536))
        .default(0),
    )
    .addOption(
      option('--log-payloads-url <url>', 'takes requests and answers as CloudEvents').argParser(httpUrl),
    )
    .addOption(
      option('--log-payloads-sample <share>', 'of the requests, 0 to 1').argParser(share(0, 1)).default(1),
    )
    .addOption(
      option('--log-payloads <kinds>', 'request, response')
        .argParser(listOf(oneOf(PAYLOAD_KINDS)))
        .default([...PAYLOAD_KINDS], 'both'),
    )
    .addOption(
      option(
        '--log-payloads-allow-address <classes>',
        `the URL may also lead to these: ${addressClasses.join(', ')}`,
      )
        .argParser(listOf(oneOf(addressClasses)))
        .default([], 'none'),
    )
    .addOption(
      option('--drain <duration>', 'after SIGTERM: not ready, but answering')
        .argParser(duration)
        .default(5_000, '5s'),
    )
    .addOption(
      option('--shutdown-timeout <duration>', 'then, for the calls under way')
        .argParser(duration)
        .default(20_000, '20s'),
    )
    .addOption(
      option('--log-level <level>', 'least important line')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action(async (flags: ServeFlags) => {
      // Loaded when it is asked for: the other commands need neither servers nor models.
      const { serve } = await import('./serve-process.ts');
      await serve(flags);
    });
}

function authResource(text: string): AuthResource {
  const [, resource, group, namespace, name] =
    /^([a-z]+)\.([a-z0-9.-]+)\/([a-z0-9-]+)\/([a-z0-9.-]+)$/.exec(text) ?? [];
  if (resource === undefined || group === undefined || namespace === undefined || name === undefined)
    throw new InvalidArgumentError(`"${text}" is not of the form modeldeployments.foresail.io/shop/web.`);
  return { group, resource, namespace, name };
}

function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw new InvalidArgumentError(`"${text}" is not an http or https URL without a password.`);
  return url;
}
