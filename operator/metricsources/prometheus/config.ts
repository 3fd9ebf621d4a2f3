/**
 * The admin's list of Prometheus servers: part of the operator's configuration, never of a custom resource. A tenant
 * names an entry; the address, the credentials and who may ask stand here.
 */
import { z } from 'zod';
import { configDuration } from '../../config-duration.ts';
import { ForesailError } from '../../errors.ts';
import { addressClasses } from '../../net/address.ts';

const headerName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9!#$%&'*+.^_|~-]+$/, 'is not the name of an HTTP header')
  .refine(
    (name) => !/^(authorization|host|connection|content-.*|transfer-encoding|accept.*)$/i.test(name),
    'is a header that the operator sets itself',
  );
// Visible ASCII only: a line break here would be a second header.
const headerValue = z
  .string()
  .max(4096)
  .regex(/^[\x20-\x7e]*$/, 'is not a header value');
const file = z.string().min(1).max(4096);

const url = z.string().superRefine((text, context) => {
  const issue = (message: string) => context.addIssue({ code: 'custom', message });
  if (!URL.canParse(text)) return issue('is not a URL');
  const parsed = new URL(text);
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')
    issue('must begin with http:// or https://');
  if (parsed.username !== '' || parsed.password !== '')
    issue('must not carry credentials: name a file in basicAuth or bearerTokenFile');
  if (parsed.search !== '' || parsed.hash !== '') issue('must not have a query or a fragment');
});

const serverSchema = z
  .strictObject({
    name: z
      .string()
      .max(63)
      .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a DNS label'),
    /** Base address; `/api/v1/query` is appended. */
    url,
    /** PEM; replaces the system's roots. */
    caFile: file.optional(),
    certFile: file.optional(),
    keyFile: file.optional(),
    /** Name expected in the certificate when it is not the URL's host. */
    serverName: z.string().min(1).max(253).optional(),
    bearerTokenFile: file.optional(),
    basicAuth: z.strictObject({ username: z.string().min(1).max(256), passwordFile: file }).optional(),
    headers: z.record(headerName, headerValue).default({}),
    /** Headers whose value is a secret: name → file. */
    headerFiles: z.record(headerName, file).default({}),

    /** Every selector of a query gets this label with the scaler's namespace. */
    enforcedNamespaceLabel: z
      .string()
      .max(128)
      .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'is not a label name')
      .optional(),
    /** This header carries the scaler's namespace, for servers that keep tenants apart by it. */
    tenantHeader: headerName.optional(),
    /** Who may name this server; '*' is everybody. Needed when neither of the two above is set. */
    allowedNamespaces: z.array(z.string().min(1).max(63)).max(1000).optional(),
    /** Classes of address that are refused unless named here. */
    allowAddresses: z.array(z.enum(addressClasses)).default([]),

    /** For one read: waiting in line, connecting and the whole answer. */
    timeout: configDuration('10s', '100ms', '2m'),
    maxSampleAge: configDuration('5m', '1s', '24h'),
    /** How far the server's clock may be ahead of ours. */
    maxClockSkew: configDuration('30s', '0s', '1h'),
    /** A load other than zero that has not moved by one bit for so long is an exporter that hangs. 0s: never. */
    flatLineLimit: configDuration('10h', '0s', '720h'),
    /** Ask for the age of the samples behind a value, a few times per maxSampleAge. */
    freshnessProbe: z.boolean().default(true),
    maxConcurrent: z.int().min(1).max(256).default(8),
    maxConcurrentPerNamespace: z.int().min(1).max(256).optional(),
    maxQueued: z.int().min(1).max(100_000).default(2000),
    maxQueuedPerNamespace: z.int().min(1).max(100_000).default(1000),
    maxBodyBytes: z.int().min(1024).max(67_108_864).default(4_194_304),
    backfill: z
      .strictObject({
        timeout: configDuration('1m', '1s', '10m'),
        maxConcurrent: z.int().min(1).max(64).default(2),
        /** Points of one range query; Prometheus refuses more than 11,000. */
        chunkPoints: z.int().min(10).max(11_000).default(5000),
        maxBodyBytes: z.int().min(1024).max(268_435_456).default(8_388_608),
        /** Longest random pause before a chunk. */
        jitter: configDuration('200ms', '0s', '1m'),
      })
      .prefault({}),
  })
  .superRefine((server, context) => {
    const issue = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (server.basicAuth !== undefined && server.bearerTokenFile !== undefined)
      issue('basicAuth', 'cannot be set together with bearerTokenFile');
    if ((server.certFile === undefined) !== (server.keyFile === undefined))
      issue('certFile', 'needs keyFile, and the other way round');
    const secrets = Object.keys(server.headerFiles).map((name) => name.toLowerCase());
    const others = Object.keys(server.headers).map((name) => name.toLowerCase());
    const tenant = server.tenantHeader?.toLowerCase();
    if (tenant !== undefined && [...secrets, ...others].includes(tenant))
      issue('tenantHeader', 'is also set in headers or headerFiles');
    if (others.some((name) => secrets.includes(name))) issue('headers', 'names a header of headerFiles');
  });

export const prometheusServersSchema = z
  .array(serverSchema)
  .max(100)
  .superRefine((servers, context) => {
    const seen = new Set<string>();
    for (const [index, { name }] of servers.entries()) {
      if (seen.has(name))
        context.addIssue({ code: 'custom', path: [index, 'name'], message: `${name} is used twice` });
      seen.add(name);
    }
  });

/** One entry with its defaults; durations are milliseconds. */
export type PrometheusServer = z.output<typeof serverSchema>;

/** Throws METRIC_SERVERS_INVALID naming the entry and the field. */
export function parsePrometheusServers(input: unknown): readonly PrometheusServer[] {
  const result = prometheusServersSchema.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = `prometheusServers${(issue?.path ?? []).map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')}`;
  throw new ForesailError(
    'METRIC_SERVERS_INVALID',
    'terminal',
    `${where}: ${issue?.message ?? 'is invalid'}`,
    {
      subject: where,
    },
  );
}
