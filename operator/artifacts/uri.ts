/** Where a model file lies. The API server has seen the form already; a person at a terminal has not. */
import { join, normalize } from 'node:path';
import { ForesailError } from '../errors.ts';

export type ArtifactUri =
  | { readonly scheme: 'https' | 'http'; readonly url: URL }
  | { readonly scheme: 'pvc'; readonly claim: string; readonly path: string }
  | { readonly scheme: 'file'; readonly path: string };

/** As the API server names objects: neither `.` nor `..`, which would be folders. */
const CLAIM = /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;

/** Known to the API, not to this program yet. */
const OTHERS = new Set(['s3', 'gs', 'oci', 'hf']);

/** @throws ARTIFACT_URI_INVALID says what is wrong with it */
export function parseArtifactUri(text: string): ArtifactUri {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9]*):\/\/(.*)$/.exec(text) ?? [];
  const [, host = '', path = ''] = /^([^/]*)\/?(.*)$/.exec(rest) ?? [];
  switch (scheme) {
    case 'https':
    case 'http':
      return { scheme, url: webUrl(text) };
    case 'pvc':
      if (!CLAIM.test(host) || path === '') throw invalid(text, 'it must be pvc://<claim>/<path>');
      return { scheme, claim: host, path: inside(text, path) };
    case 'file':
      if (host !== '' || path === '') throw invalid(text, 'it must be file:///<path>');
      return { scheme, path: join('/', path) };
    default:
      throw invalid(
        text,
        OTHERS.has(scheme) ? `${scheme}:// is not supported yet` : 'its scheme is none of https, pvc, file',
      );
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

/** A path that leaves its volume by `..` would read another file of the pod. */
function inside(text: string, path: string): string {
  const plain = normalize(path);
  if (plain === '..' || plain.startsWith('../') || plain.startsWith('/'))
    throw invalid(text, 'its path leaves the volume');
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
