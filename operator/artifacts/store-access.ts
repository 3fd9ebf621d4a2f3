/** What every store is reached with. */
import type { Http } from './http.ts';
import type { Identity } from './identity.ts';
import type { Secret } from './secret.ts';

export interface StoreAccess {
  readonly http: Http;
  readonly secret: Secret;
  /** Absent: the pod has no identity of its own, and nothing is asked for one. */
  readonly identity?: Identity;
}
