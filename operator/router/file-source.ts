/** Routes from a file: for a look without a cluster, and for tests. The file is read again when it changes. */
import { readFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { load } from 'js-yaml';
import { z } from 'zod';
import { ForesailError, messageOf } from '../errors.ts';
import type { Route } from './routes.ts';

const name = z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, { error: 'must be a DNS label' });
const header = z.string().min(1).max(128);
const percent = z.int().min(0).max(100);

const urls = z.array(z.url({ protocol: /^http$/ }));

const versionSchema = z.strictObject({
  version: z.int().min(1),
  name: name.optional(),
  weight: percent,
  mirrorPercent: percent.default(0),
  endpoints: urls.default([]),
  grpcEndpoints: urls.optional(),
});

const routeSchema = z
  .strictObject({
    namespace: name,
    name,
    stable: z.int().min(1),
    versions: z.array(versionSchema).min(1).max(16),
    nameHeader: header.optional(),
    stickyHeader: header.optional(),
  })
  .refine(({ versions }) => versions.reduce((sum, { weight }) => sum + weight, 0) === 100, {
    error: 'the weights must sum to 100',
    path: ['versions'],
  })
  .refine(({ versions }) => new Set(versions.map(({ version }) => version)).size === versions.length, {
    error: 'a version stands there twice',
    path: ['versions'],
  });

const fileSchema = z.strictObject({ routes: z.array(routeSchema).max(10_000) });

/** @throws ROUTES_INVALID names the file and the field */
export function parseRoutes(text: string, file: string): Route[] {
  let content: unknown;
  try {
    content = load(text);
  } catch (cause) {
    throw invalid(file, messageOf(cause), cause);
  }
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(file, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, parsed.error);
  }
  return parsed.data.routes.map(({ nameHeader, stickyHeader, ...route }) => ({
    ...route,
    versions: route.versions.map(({ name: called, grpcEndpoints, ...version }) => ({
      ...version,
      ...(called === undefined ? {} : { name: called }),
      endpoints: version.endpoints.map((url) => new URL(url).origin),
      ...(grpcEndpoints === undefined
        ? {}
        : { grpcEndpoints: grpcEndpoints.map((url) => new URL(url).origin) }),
    })),
    ...(nameHeader === undefined ? {} : { nameHeader }),
    ...(stickyHeader === undefined ? {} : { stickyHeader }),
  }));
}

/** @throws ROUTES_INVALID also for a file that cannot be read */
export async function readRoutes(file: string): Promise<Route[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw invalid(file, messageOf(cause), cause);
  });
  return parseRoutes(text, file);
}

/** Calls when the file is another than before, by time or size; a file that is gone for a moment is no change. */
export async function followFile(
  file: string,
  everyMs: number,
  changed: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const stamp = async (): Promise<string | undefined> =>
    stat(file).then(
      ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`,
      () => undefined,
    );
  /* oxlint-disable no-await-in-loop -- a poll */
  let before = await stamp();
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    const now = await stamp();
    if (now === undefined || now === before || signal.aborted) continue;
    before = now;
    await changed();
  }
  /* oxlint-enable no-await-in-loop */
}

function invalid(file: string, text: string, cause: unknown): ForesailError {
  return new ForesailError('ROUTES_INVALID', 'terminal', `${file}: ${text}`, { subject: file, cause });
}
