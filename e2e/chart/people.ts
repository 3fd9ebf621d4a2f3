/** People with rights of their own in the namespace `shop`, and what the API server answers them. */
import { expect } from '@jest/globals';
import { request } from '../api.ts';
import type { Cluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/shop';
const GROUP = 'rbac.authorization.k8s.io';
const ADMISSION = 'admissionregistration.k8s.io/v1';
/** Of a policy of the tests' own, and of the one object that it is about. */
const SENTINEL = 'sentinel';

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

  /** Resolves when all policies that were stored before are in force: the server takes them up by and by, in that order. */
  async policiesInForce(): Promise<void> {
    const metadata = { name: SENTINEL };
    const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] };
    await this.post(`/apis/${ADMISSION}/validatingadmissionpolicies`, {
      apiVersion: ADMISSION,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: { resourceRules: [rule] },
        matchConditions: [{ name: 'sentinel', expression: `object.metadata.name == '${SENTINEL}'` }],
        validations: [{ expression: 'false', message: 'in force' }],
      },
    });
    await this.post(`/apis/${ADMISSION}/validatingadmissionpolicybindings`, {
      apiVersion: ADMISSION,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: SENTINEL, validationActions: ['Deny'] },
    });
    await eventually('the policies are in force', async () => {
      const asked = this.post('/api/v1/namespaces/default/configmaps?dryRun=All', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata,
      });
      return (await answerTo(asked, 'created')).includes('in force');
    });
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
