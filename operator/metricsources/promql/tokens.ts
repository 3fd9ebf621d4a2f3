/**
 * Cuts PromQL into tokens. Stricter than Prometheus on purpose: whatever could be read in two ways (a control
 * character, a half surrogate, a comment inside a range) is refused, because a query is written anew from these
 * tokens and another reader must cut it at the same places.
 */

export type TokenKind = 'identifier' | 'number' | 'duration' | 'string' | 'range' | 'operator';

export interface Token {
  readonly kind: TokenKind;
  /** As it will be written; ranges without their spaces. */
  readonly text: string;
  /** Offset in the query, for messages. */
  readonly at: number;
}

export class PromqlError extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(`${message} at character ${at + 1}`);
    this.name = 'PromqlError';
    this.at = at;
  }
}

export const maxQueryLength = 16_384;
const maxTokens = 4000;

const unit = '(?:ms|[smhdwy])';
const durationText = `(?:[0-9]+${unit})+`;
const numberText = '(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\\.?[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?)';
const plainNumber = '[0-9]+(?:\\.[0-9]+)?';
const span = `(?:${durationText}|${plainNumber})`;
const blank = '[ \\t\\r\\n]*';

// Sticky: each matches exactly at its place or not at all.
const patterns = {
  skip: /(?:[ \t\r\n]+|#[^\r\n]*)/y,
  range: new RegExp(`\\[${blank}(${span})${blank}(?:(:)${blank}(${span})?${blank})?\\]`, 'y'),
  duration: new RegExp(`${durationText}(?![0-9A-Za-z_:.])`, 'y'),
  number: new RegExp(`${numberText}(?![0-9A-Za-z_:.])`, 'y'),
  identifier: /[a-zA-Z_:][a-zA-Z0-9_:]*/y,
  double: /"(?:[^"\\\p{Cc}]|\\[^\p{Cc}])*"/uy,
  single: /'(?:[^'\\\p{Cc}]|\\[^\p{Cc}])*'/uy,
  raw: /`[^`\p{Cc}]*`/uy,
  operator: /==|!=|>=|<=|=~|!~|[-+*/%^(){},@=<>]/y,
} as const;

export function tokenize(query: string): Token[] {
  if (query.length > maxQueryLength)
    throw new PromqlError(`the query is longer than ${maxQueryLength} characters`, maxQueryLength);
  if (!query.isWellFormed()) throw new PromqlError('the query is not well-formed text', 0);
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(query);
  };
  while (at < query.length) {
    const skipped = match(patterns.skip);
    if (skipped !== null) {
      at += skipped[0].length;
      continue;
    }
    const found = next(match);
    if (found === undefined) throw new PromqlError('unexpected character', at);
    tokens.push({ kind: found.kind, text: found.text, at });
    if (tokens.length > maxTokens) throw new PromqlError('the query has too many parts', at);
    at += found.length;
  }
  return tokens;
}

function next(
  match: (pattern: RegExp) => RegExpExecArray | null,
): { kind: TokenKind; text: string; length: number } | undefined {
  const range = match(patterns.range);
  if (range !== null) {
    const [whole, width = '', colon = '', step = ''] = range;
    return { kind: 'range', text: `[${width}${colon}${step}]`, length: whole.length };
  }
  const kinds = [
    ['duration', patterns.duration],
    ['number', patterns.number],
    ['identifier', patterns.identifier],
    ['string', patterns.double],
    ['string', patterns.single],
    ['string', patterns.raw],
    ['operator', patterns.operator],
  ] as const;
  for (const [kind, pattern] of kinds) {
    const found = match(pattern);
    if (found !== null) return { kind, text: found[0], length: found[0].length };
  }
  return undefined;
}
