/** Where a model file lies. The API server has seen the form already; a person at a terminal has not. */
import { join, normalize } from 'node:path';
import { ForesailError } from '../errors.ts';

export type ArtifactUri =
  | { readonly scheme: 'https' | 'http'; readonly url: URL }
  | { readonly scheme: 's3' | 'gs'; readonly bucket: string; readonly key: string }
  | OciUri
  | HfUri
  | { readonly scheme: 'pvc'; readonly claim: string; readonly path: string }
  | { readonly scheme: 'file'; readonly path: string };

export interface OciUri {
  readonly scheme: 'oci';
  /** With the port. */
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
  /** Of the manifest: `sha256:…`. Goes before the tag. */
  readonly digest?: string;
}

export interface HfUri {
  readonly scheme: 'hf';
  readonly repository: string;
  readonly revision: string;
  readonly path: string;
}

/** As the kind has it. */
const MOST_SIGNS = 2048;

/** As the API server names objects: neither `.` nor `..`, which would be folders. */
const CLAIM = /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/;
/** Host, repository, tag and digest as the distribution specification writes them. */
const OCI =
  /^([A-Za-z0-9.-]+(?::\d{1,5})?)\/([a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*)(?::(\w[\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;
const HF = /^([\w.-]+\/[\w.-]+?)(?:[:@]([\w.-]+))?\/(.+)$/;

/** @throws ARTIFACT_URI_INVALID says what is wrong with it */
export function parseArtifactUri(text: string): ArtifactUri {
  if (text.length > MOST_SIGNS) throw invalid(text, `it is longer than ${MOST_SIGNS} signs`);
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9]*):\/\/(.*)$/.exec(text) ?? [];
  const [, host = '', path = ''] = /^([^/]*)\/?(.*)$/.exec(rest) ?? [];
  switch (scheme) {
    case 'https':
    case 'http':
      return { scheme, url: webUrl(text) };
    case 's3':
    case 'gs':
      if (!BUCKET.test(host) || path === '' || path.endsWith('/'))
        throw invalid(text, `it must be ${scheme}://<bucket>/<path of the file>`);
      return { scheme, bucket: host, key: path };
    case 'oci': {
      const [, registry, repository, tag = 'latest', digest] = OCI.exec(rest) ?? [];
      if (registry === undefined || repository === undefined)
        throw invalid(text, 'it must be oci://<registry>/<repository>[:<tag>][@sha256:<digest>]');
      return { scheme, host: registry, repository, tag, ...(digest === undefined ? {} : { digest }) };
    }
    case 'hf': {
      const [, repository, revision = 'main', file] = HF.exec(rest) ?? [];
      if (repository === undefined || file === undefined || file.endsWith('/'))
        throw invalid(text, 'it must be hf://<organisation>/<repository>[@<revision>]/<path of the file>');
      return { scheme, repository, revision, path: inside(text, file) };
    }
    case 'pvc':
      if (!CLAIM.test(host) || path === '') throw invalid(text, 'it must be pvc://<claim>/<path>');
      return { scheme, claim: host, path: inside(text, path) };
    case 'file':
      if (host !== '' || path === '') throw invalid(text, 'it must be file:///<path>');
      return { scheme, path: join('/', path) };
    default:
      throw invalid(text, 'its scheme is none of s3, gs, https, oci, pvc, hf, file');
  }
}

function webUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw invalid(text, 'it is not a URL', cause);
  }
  if (url.username !== '' || url.password !== '') throw invalid(text, 'it must not contain credentials');
  return url;
}

/** A path that leaves its volume or repository by `..` would read another file. */
function inside(text: string, path: string): string {
  const plain = normalize(path);
  if (plain === '..' || plain.startsWith('../') || plain.startsWith('/'))
    throw invalid(text, 'its path leads out of where it begins');
  return plain;
}

/** Without what may be secret: a password, a signature. */
function shown(text: string): string {
  return text
    .replace(/\/\/[^/?#]*@/, '//…@')
    .replace(/\?.*$/s, '?…')
    .slice(0, 200);
}

function invalid(text: string, why: string, cause?: unknown): ForesailError {
  return new ForesailError('ARTIFACT_URI_INVALID', 'terminal', `${shown(text)}: ${why}`, {
    subject: 'uri',
    ...(cause === undefined ? {} : { cause }),
  });
}
