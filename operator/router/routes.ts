/** What the router sends where: plain data, from a file or from the cluster. */

export interface VersionRoute {
  readonly version: number;
  /** What a variant of an A/B test is called. */
  readonly name?: string;
  /** Per cent of the requests. */
  readonly weight: number;
  /** Per cent of the requests to other versions of which it gets a copy; its answers are thrown away. */
  readonly mirrorPercent: number;
  /** Origins of its ready pods, e.g. `http://10.98.0.7:8080`. */
  readonly endpoints: readonly string[];
  /** The same pods where they speak gRPC, in the same order. */
  readonly grpcEndpoints?: readonly string[];
}

export interface Route {
  readonly namespace: string;
  readonly name: string;
  /** Answers for a version that has no ready pod. */
  readonly stable: number;
  readonly versions: readonly VersionRoute[];
  /** Header that names the variant that answers, or `stable`. */
  readonly nameHeader?: string;
  /** Header by whose value a caller stays with one version while the weights stay. */
  readonly stickyHeader?: string;
}

export interface Found {
  readonly route: Route;
  /** The path as the model's pods know it. */
  readonly path: string;
}

/** For clients that are given a URL and no name of a host: what follows belongs to the model. */
const BY_PATH = /^\/namespaces\/([^/?]+)\/modeldeployments\/([^/?]+)(.*)$/s;

/** The routes by who is asked: the host `<name>.<namespace>`, whatever domain or port follows, or a path that names both. */
export class RouteTable {
  #routes: ReadonlyMap<string, Route> = new Map();

  /** At once and as a whole: a request sees the weights before or after, never a mix. */
  replace(routes: Iterable<Route>): void {
    this.#routes = new Map([...routes].map((route) => [keyOf(route.name, route.namespace), route]));
  }

  /** The host goes first: whoever is let to one host only must not reach another model by its path. */
  find(host: string, path: string): Found | undefined {
    const [name = '', namespace = ''] = host.replace(/:\d+$/, '').toLowerCase().split('.');
    const byHost = this.#routes.get(keyOf(name, namespace));
    if (byHost !== undefined) return { route: byHost, path };
    const [, space = '', model = '', rest = ''] = BY_PATH.exec(path) ?? [];
    const byPath = this.#routes.get(keyOf(model, space));
    return byPath && { route: byPath, path: rest.startsWith('/') ? rest : `/${rest}` };
  }

  get size(): number {
    return this.#routes.size;
  }
}

function keyOf(name: string, namespace: string): string {
  return `${name}.${namespace}`;
}
