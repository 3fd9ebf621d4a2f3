/**
 * Whether a namespace may ask a server, and in which words. A query runs with the operator's credentials, so a
 * server that nothing ties to the tenant's namespace is open only to the namespaces on its list.
 */
import { enforceLabel } from '../promql/enforce.ts';
import { parseQuery, type Query } from '../promql/parser.ts';
import { PromqlError } from '../promql/tokens.ts';
import { ReadError } from '../read-error.ts';
import type { PrometheusServer } from './config.ts';

export interface ScopedQuery {
  /** What is sent. */
  readonly text: string;
  /** Undefined when the query could not be read and nothing depends on reading it. */
  readonly parsed: Query | undefined;
}

type Rules = Pick<PrometheusServer, 'name' | 'enforcedNamespaceLabel' | 'tenantHeader' | 'allowedNamespaces'>;

/** Throws NotAllowed or BadQuery. */
export function scopeQuery(server: Rules, namespace: string, query: string): ScopedQuery {
  const { name, enforcedNamespaceLabel: label, tenantHeader, allowedNamespaces } = server;
  const listed = allowedNamespaces?.some((entry) => entry === '*' || entry === namespace);
  const tied = label !== undefined || tenantHeader !== undefined;
  if (listed === false || (!tied && listed === undefined))
    throw new ReadError(
      'NotAllowed',
      `Prometheus server "${name}" is not open to namespace ${namespace}: the administrator's entry neither lists ` +
        'the namespace nor ties queries to it',
    );
  if (query.trim() === '') throw new ReadError('BadQuery', 'the query is empty');
  try {
    const parsed = parseQuery(query);
    return { parsed, text: label === undefined ? query : enforceLabel(parsed, { label, value: namespace }) };
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    // Dialects (MetricsQL) go beyond the grammar that is known here; that matters only where a label is enforced.
    if (label === undefined) return { parsed: undefined, text: query };
    throw new ReadError(
      'BadQuery',
      `the query cannot be tied to its namespace, as server "${name}" requires: ${error.message}`,
      error,
    );
  }
}
