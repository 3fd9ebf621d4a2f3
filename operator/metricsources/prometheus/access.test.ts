import { describe, expect, test } from '@jest/globals';
import { ReadError } from '../read-error.ts';
import { scopeQuery } from './access.ts';

interface Rules {
  enforcedNamespaceLabel?: string;
  tenantHeader?: string;
  allowedNamespaces?: string[];
}
const outcome = (rules: Rules, query = 'up', namespace = 'shop'): string => {
  const server = {
    name: 'default',
    enforcedNamespaceLabel: rules.enforcedNamespaceLabel,
    tenantHeader: rules.tenantHeader,
    allowedNamespaces: rules.allowedNamespaces,
  };
  try {
    return scopeQuery(server, namespace, query).text;
  } catch (error) {
    if (error instanceof ReadError) return error.reason;
    throw error;
  }
};

describe('a server', () => {
  const rows: readonly (readonly [string, Rules, string])[] = [
    ['that nothing ties to the namespace', {}, 'NotAllowed'],
    ['with an empty list', { allowedNamespaces: [] }, 'NotAllowed'],
    ['that lists another namespace', { allowedNamespaces: ['shop-2', 'sho'] }, 'NotAllowed'],
    ['that lists the namespace', { allowedNamespaces: ['a', 'shop'] }, 'up'],
    ['open to all', { allowedNamespaces: ['*'] }, 'up'],
    ['with a tenant header', { tenantHeader: 'X-Scope-OrgID' }, 'up'],
    ['with an enforced label', { enforcedNamespaceLabel: 'ns' }, 'up{ns="shop"}'],
    [
      'with an enforced label and a list without the namespace',
      { enforcedNamespaceLabel: 'ns', allowedNamespaces: [] },
      'NotAllowed',
    ],
    [
      'with a tenant header and a list without the namespace',
      { tenantHeader: 'x', allowedNamespaces: ['a'] },
      'NotAllowed',
    ],
  ];
  test.each(rows)('%s', (_, rules, expected) => {
    expect(outcome(rules)).toBe(expected);
  });

  test('takes a dialect as it is where nothing is enforced, and refuses it where a label is', () => {
    const dialect = 'WITH (x = up) x';
    expect(outcome({ allowedNamespaces: ['*'] }, dialect)).toBe(dialect);
    expect(outcome({ enforcedNamespaceLabel: 'ns' }, dialect)).toBe('BadQuery');
  });

  test('is not asked an empty query', () => {
    expect(outcome({ allowedNamespaces: ['*'] }, '  \n')).toBe('BadQuery');
  });
});
