/** People with rights of their own in the namespace `shop`, and what the API server answers them. */
import { expect } from '@jest/globals';
import { request } from '../api.ts';
import type { Cluster } from '../cluster.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/shop';
const GROUP = 'rbac.authorization.k8s.io';

export class People<User extends string> {
  readonly #cluster: Cluster;

  /** @param cluster that has an identity of each of them */
  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  tokenOf(user: User | 'admin'): string {
    return this.#cluster.tokens[user] ?? '';
  }

  post(path: string, body: object, user: User | 'admin' = 'admin'): Promise<unknown> {
    return request(this.#cluster, 'POST', path, body, { token: this.tokenOf(user) });
  }

  patch(path: string, body: object, user: User | 'admin'): Promise<unknown> {
    return request(this.#cluster, 'PATCH', path, body, { token: this.tokenOf(user) });
  }

  role(name: string, rules: readonly object[]): Promise<unknown> {
    return this.post(`${RBAC}/roles`, { apiVersion: `${GROUP}/v1`, kind: 'Role', metadata: { name }, rules });
  }

  bind(user: string, kind: 'Role' | 'ClusterRole', name: string): Promise<unknown> {
    return this.post(`${RBAC}/rolebindings`, {
      apiVersion: `${GROUP}/v1`,
      kind: 'RoleBinding',
      metadata: { name: `${user}-${name}` },
      roleRef: { apiGroup: GROUP, kind, name },
      subjects: [{ apiGroup: GROUP, kind: 'User', name: user }],
    });
  }
}

/** @returns `done`, or the words of the refusal */
export function answerTo(asked: Promise<unknown>, done: 'created' | 'changed'): Promise<string> {
  return asked.then(
    () => done,
    (error: Error) => error.message,
  );
}

/** A text is the whole answer, an expression a part of it. */
export function expectAnswer(answer: string, expected: string | RegExp): void {
  if (typeof expected === 'string') expect(answer).toBe(expected);
  else expect(answer).toMatch(expected);
}
