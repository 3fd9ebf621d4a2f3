/** Files of a model hub: one URL per repository, revision and path. */
import type { Remote } from './remote.ts';
import { remoteAfter } from './remote.ts';
import { hintFor, originKey } from './secret.ts';
import type { StoreAccess } from './store-access.ts';
import type { HfUri } from './uri.ts';
import { webRemote } from './web.ts';

const HUB = 'https://huggingface.co';

export function hfRemote({ repository, revision, path }: HfUri, { http, secret }: StoreAccess): Remote {
  return remoteAfter(async () => {
    const [token, mirror] = await Promise.all([secret.read('HF_TOKEN'), secret.read('HF_ENDPOINT')]);
    const origin = mirror === undefined ? HUB : originKey('HF_ENDPOINT', mirror);
    const file = path.split('/').map(encodeURIComponent).join('/');
    return webRemote(http, {
      url: new URL(`${origin}/${repository}/resolve/${encodeURIComponent(revision)}/${file}`),
      authorization: token === undefined ? undefined : `Bearer ${token}`,
      hint: hintFor('HF_TOKEN', token !== undefined),
    });
  });
}
