/**
 * Ties a tenant's query to the tenant's namespace: every vector selector gets one more matcher. The query is written
 * anew from the tokens that were understood (comments dropped, one space between tokens), so nothing that was not
 * understood can reach the server.
 */
import { pureFunctions } from './names.ts';
import { parseQuery, type Query, type Selector } from './parser.ts';
import { PromqlError } from './tokens.ts';

export interface LabelMatcher {
  readonly label: string;
  readonly value: string;
}

/** A selector with the matcher added. A matcher of the tenant on the same label stays: both must hold. */
export function renderSelector(selector: Selector, matcher?: LabelMatcher): string {
  const added = matcher === undefined ? [] : [`${matcher.label}=${JSON.stringify(matcher.value)}`];
  return `${selector.name ?? ''}{${[...selector.matchers, ...added].join(',')}}`;
}

/** Throws PromqlError for what it cannot be sure about. */
export function enforceLabel(query: Query, matcher: LabelMatcher): string {
  // A value with anything else in it would need PromQL's own rules of escaping.
  if (!/^[a-zA-Z0-9_.-]+$/.test(matcher.value))
    throw new PromqlError('the label value is not a plain name', 0);
  for (const name of query.functions)
    if (!pureFunctions.has(name)) {
      const token = query.tokens.find(({ text }) => text === name);
      throw new PromqlError(`the function ${name} is not open to this namespace`, token?.at ?? 0);
    }
  const parts: string[] = [];
  let at = 0;
  for (const selector of query.selectors) {
    for (const token of query.tokens.slice(at, selector.from)) parts.push(token.text);
    parts.push(renderSelector(selector, matcher));
    at = selector.to;
  }
  for (const token of query.tokens.slice(at)) parts.push(token.text);
  return parts.join(' ');
}

export function enforceLabelIn(text: string, matcher: LabelMatcher): string {
  return enforceLabel(parseQuery(text), matcher);
}
