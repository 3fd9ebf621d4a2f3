import { describe, expect, test } from '@jest/globals';
import { isForesailError } from '../errors.ts';
import { formatKey, parseKey } from './keys.ts';
import { apiVersionOf, collectionPath, groupVersion, objectPath } from './paths.ts';

const DEPLOYMENTS = { group: 'apps', version: 'v1', plural: 'deployments', namespaced: true };
const NODES = { group: '', version: 'v1', plural: 'nodes', namespaced: false };

describe('paths', () => {
  test.each([
    [
      objectPath(DEPLOYMENTS, { namespace: 'shop', name: 'web' }, 'scale'),
      '/apis/apps/v1/namespaces/shop/deployments/web/scale',
    ],
    [objectPath(NODES, { namespace: '', name: 'n1' }), '/api/v1/nodes/n1'],
    [collectionPath(DEPLOYMENTS, undefined), '/apis/apps/v1/deployments'],
    [collectionPath(NODES, 'ignored'), '/api/v1/nodes'],
  ])('%s', (path, expected) => {
    expect(path).toBe(expected);
  });

  test.each(['a/../../secrets', 'x?y', '%2e', 'ü'])('a name like %j stays one segment', (name) => {
    const path = objectPath(DEPLOYMENTS, { namespace: 'shop', name });
    expect(new URL(path, 'https://host').pathname.split('/')).toHaveLength(8);
    expect(new URL(path, 'https://host').search).toBe('');
  });

  test.each(['', '.', '..'])('the name %j is refused, for no escape makes it safe', (name) => {
    expect(() => objectPath(DEPLOYMENTS, { namespace: 'shop', name })).toThrow(/not a name/);
  });

  test('a namespaced object without namespace is refused, not looked up elsewhere', () => {
    let thrown: unknown;
    try {
      objectPath(DEPLOYMENTS, { namespace: '', name: 'web' });
    } catch (error) {
      thrown = error;
    }
    expect(isForesailError(thrown, 'KUBE_KEY_INVALID')).toBe(true);
  });

  test.each(['v1', 'apps/v1', 'foresail.io/v1alpha1'])('%s survives a round trip', (text) => {
    expect(apiVersionOf(groupVersion(text))).toBe(text);
  });

  test.each(['web', 'shop/web'])('key %s survives a round trip', (text) => {
    expect(formatKey(parseKey(text))).toBe(text);
  });
});
