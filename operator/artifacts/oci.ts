/**
 * The pull part of the OCI distribution specification: a token where the registry asks for one, the manifest, the layer.
 *
 * Which layer: the one whose digest is the pinned sha256. A layer that holds the file as it is has the file's own
 * digest (`oras push` writes it so), which says more than a media type or a title, so those only help to say what is
 * wrong when no layer has it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ForesailError } from '../errors.ts';
import { bytesOf, checkStatus, type Http, type Incoming, invalidAnswer, jsonOf } from './http.ts';
import { authorizationFor } from './oci-credentials.ts';
import type { Remote } from './remote.ts';
import { remoteAfter } from './remote.ts';
import { hintFor } from './secret.ts';
import { mismatch } from './store.ts';
import type { StoreAccess } from './store-access.ts';
import type { OciUri } from './uri.ts';
import { follow, webRemote } from './web.ts';

const MANIFEST_BYTES = 4 * 1024 * 1024;
const TOKEN_BYTES = 65_536;
const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const INDEXES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const TITLE = 'org.opencontainers.image.title';

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const layerSchema = z.object({
  mediaType: z.string(),
  digest: z.string(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const documentSchema = z.object({
  layers: z.array(layerSchema).max(1_000).optional(),
  manifests: z
    .array(
      z.object({
        digest,
        platform: z.object({ os: z.string(), architecture: z.string() }).partial().optional(),
      }),
    )
    .max(1_000)
    .optional(),
});
type Layer = z.output<typeof layerSchema>;

export function ociRemote(uri: OciUri, sha256: string, access: StoreAccess): Remote {
  return remoteAfter(async (signal) => {
    const own = await authorizationFor(uri.host, access.secret);
    const registry = new Registry(uri, access.http, own, signal);
    const layers = await registry.layers(uri.digest ?? uri.tag);
    requireLayer(layers, sha256);
    return webRemote(access.http, {
      url: registry.url(`blobs/sha256:${sha256}`),
      authorization: registry.authorization,
      hint: registry.hint,
    });
  });
}

/** @throws ARTIFACT_DIGEST_MISMATCH, ARTIFACT_NOT_FOUND when no layer is the pinned file */
function requireLayer(layers: readonly Layer[], sha256: string): void {
  if (layers.some((layer) => layer.digest === `sha256:${sha256}`)) return;
  const titled = layers.filter((layer) => layer.annotations?.[TITLE]?.endsWith('.onnx') === true);
  const [model] = titled.length === 1 ? titled : layers;
  if (
    model !== undefined &&
    (titled.length === 1 || layers.length === 1) &&
    !/[.+](tar|gzip|zstd)/.test(model.mediaType)
  )
    throw mismatch(sha256, model.digest.replace('sha256:', ''), `(layer ${titleOf(model)})`);
  const found = layers.slice(0, 5).map((layer) => `${titleOf(layer)} ${layer.digest}`);
  throw new ForesailError(
    'ARTIFACT_NOT_FOUND',
    'terminal',
    `no layer is the file sha256:${sha256}; there are: ${found.join(', ') || 'none'}. A file inside an archive is not looked for: push it as it is (oras push)`,
  );
}

const titleOf = ({ annotations, mediaType }: Layer): string =>
  (annotations?.[TITLE] ?? mediaType).replace(/[^ -~]/g, '?').slice(0, 100);

/** One repository of a registry, and the token that it wanted. */
class Registry {
  authorization: string | undefined;
  readonly hint: string;
  readonly #uri: OciUri;
  readonly #http: Http;
  readonly #own: string | undefined;
  readonly #signal: AbortSignal;

  constructor(uri: OciUri, http: Http, own: string | undefined, signal: AbortSignal) {
    this.#uri = uri;
    this.#http = http;
    this.#own = own;
    this.#signal = signal;
    this.hint = hintFor(`.dockerconfigjson, or username and password, for ${uri.host}`, own !== undefined);
  }

  url(path: string): URL {
    return new URL(`https://${this.#uri.host}/v2/${this.#uri.repository}/${path}`);
  }

  /** @param reference a tag, or the digest that the manifest must have */
  async layers(reference: string, ofIndex = false): Promise<readonly Layer[]> {
    const { origin, answer } = await this.#manifest(reference);
    const bytes = await bytesOf(origin, answer, MANIFEST_BYTES, this.#signal);
    const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (reference.startsWith('sha256:') && found !== reference)
      throw new ForesailError(
        'ARTIFACT_DIGEST_MISMATCH',
        'terminal',
        `the manifest's digest is ${found}, the URI asks for ${reference}`,
        { subject: 'uri' },
      );
    const document = documentSchema.safeParse(jsonOf(origin, bytes));
    if (!document.success) throw invalidAnswer(origin, 'is not a manifest');
    const { layers, manifests } = document.data;
    if (layers !== undefined) return layers;
    const one =
      manifests?.length === 1
        ? manifests[0]
        : manifests?.find(({ platform }) => platform?.os === 'linux' && platform.architecture === 'amd64');
    if (one === undefined || ofIndex)
      throw invalidAnswer(origin, 'is an index without one manifest or one for linux/amd64');
    return this.layers(one.digest, true);
  }

  async #manifest(reference: string): Promise<{ origin: string; answer: Incoming }> {
    const ask = () =>
      follow(this.#http, this.url(`manifests/${reference}`), {
        authorization: this.authorization,
        headers: { accept: [...MANIFESTS, ...INDEXES].join(', ') },
        signal: this.#signal,
      });
    let { origin, answer } = await ask();
    if (answer.statusCode === 401 && this.authorization === undefined) {
      await answer.body.dump({ limit: TOKEN_BYTES, signal: this.#signal }).catch(() => {});
      this.authorization = await this.#authorize(String(answer.headers['www-authenticate'] ?? ''));
      ({ origin, answer } = await ask());
    }
    checkStatus(origin, answer, this.hint);
    return { origin, answer };
  }

  /** Answers the registry's challenge: with our credentials, or with a token that they are changed into. */
  async #authorize(challenge: string): Promise<string | undefined> {
    const [, scheme = '', rest = ''] = /^(\w+)\s+(.*)$/s.exec(challenge) ?? [];
    if (scheme.toLowerCase() !== 'bearer') return this.#own;
    if (this.#own?.startsWith('Bearer ') === true) return this.#own;
    const fields = new Map(
      [...rest.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
    );
    const realm = URL.parse(fields.get('realm') ?? '');
    if (realm === null) throw invalidAnswer(this.#uri.host, 'does not say where tokens are given');
    const service = fields.get('service');
    if (service !== undefined) realm.searchParams.set('service', service);
    realm.searchParams.set('scope', `repository:${this.#uri.repository}:pull`);
    const { origin, answer } = await follow(this.#http, realm, {
      authorization: this.#own,
      signal: this.#signal,
    });
    checkStatus(origin, answer, this.hint);
    const bytes = await bytesOf(origin, answer, TOKEN_BYTES, this.#signal);
    const token = z
      .object({ token: z.string(), access_token: z.string() })
      .partial()
      .safeParse(jsonOf(origin, bytes)).data;
    const text = token?.token ?? token?.access_token;
    if (text === undefined || !/^[\x21-\x7e]+$/.test(text)) throw invalidAnswer(origin, 'holds no token');
    return `Bearer ${text}`;
  }
}
