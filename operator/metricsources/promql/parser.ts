/**
 * Reads the PromQL grammar far enough to know with certainty where each vector selector stands. No tree is built and
 * precedence is ignored: which part belongs to which does not change what the selectors are. Anything outside the
 * grammar is refused, so a query that passes holds no series that was not seen here.
 */
import { aggregations, defaultingFunctions, keywords, setOperators } from './names.ts';
import { PromqlError, type Token, tokenize } from './tokens.ts';

export interface Selector {
  /** The bare metric name before the braces. */
  readonly name: string | undefined;
  /** As written: `job="a"`, `"quoted.name"`. */
  readonly matchers: readonly string[];
  /** First token and the token after the last. */
  readonly from: number;
  readonly to: number;
  /** Speaks of another time than now (`offset`, `@`), itself or an expression around it. */
  moved: boolean;
}

export interface Query {
  readonly tokens: readonly Token[];
  readonly selectors: readonly Selector[];
  readonly functions: ReadonlySet<string>;
  /** The author says what to do when one side is missing: `or`, `unless`, `absent`, `vector`. */
  readonly tolerant: boolean;
  /** The author gives a number for no data at all: `vector`, `absent`. */
  readonly defaulting: boolean;
}

const maxDepth = 60;

/** Throws PromqlError. */
export function parseQuery(text: string): Query {
  return new Parser(tokenize(text)).parse();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #selectors: Selector[] = [];
  readonly #functions = new Set<string>();
  #at = 0;
  #depth = 0;
  #tolerant = false;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Query {
    this.#expression();
    if (this.#peek() !== undefined) this.#fail('unexpected text');
    const defaulting = [...this.#functions].some((name) => defaultingFunctions.has(name));
    return {
      tokens: this.#tokens,
      selectors: this.#selectors,
      functions: this.#functions,
      tolerant: this.#tolerant || defaulting,
      defaulting,
    };
  }

  #expression(): void {
    this.#depth += 1;
    if (this.#depth > maxDepth) this.#fail('the query is nested too deep');
    this.#operand();
    while (this.#binaryOperator()) {
      this.#matching();
      this.#operand();
    }
    this.#depth -= 1;
  }

  #binaryOperator(): boolean {
    const token = this.#peek();
    if (token === undefined) return false;
    if (token.kind === 'identifier') {
      const word = token.text.toLowerCase();
      if (word !== 'atan2' && !setOperators.has(word)) return false;
      if (word === 'or' || word === 'unless') this.#tolerant = true;
    } else if (
      token.kind !== 'operator' ||
      !['+', '-', '*', '/', '%', '^', '==', '!=', '>', '<', '>=', '<='].includes(token.text)
    )
      return false;
    this.#at += 1;
    return true;
  }

  /** bool, on(…), ignoring(…), group_left(…), group_right(…) after a binary operator. */
  #matching(): void {
    this.#acceptWord('bool');
    if (!this.#acceptWord('on') && !this.#acceptWord('ignoring')) return;
    this.#labelList();
    if ((this.#acceptWord('group_left') || this.#acceptWord('group_right')) && this.#is('('))
      this.#labelList();
  }

  #operand(): void {
    while (this.#accept('+') || this.#accept('-')) {
      // Signs may be repeated.
    }
    const first = this.#selectors.length;
    this.#primary();
    for (;;) {
      if (this.#peek()?.kind === 'range') {
        this.#at += 1;
      } else if (this.#acceptWord('offset')) {
        this.#accept('-');
        const kind = this.#peek()?.kind;
        if (kind !== 'duration' && kind !== 'number') this.#fail('offset needs a duration');
        this.#at += 1;
        this.#markMoved(first);
      } else if (this.#accept('@')) {
        this.#instant();
        this.#markMoved(first);
      } else return;
    }
  }

  #instant(): void {
    if (this.#acceptWord('start') || this.#acceptWord('end')) {
      this.#expect('(');
      this.#expect(')');
      return;
    }
    if (!this.#accept('+')) this.#accept('-');
    if (this.#peek()?.kind !== 'number') this.#fail('@ needs a time');
    this.#at += 1;
  }

  #markMoved(first: number): void {
    for (const selector of this.#selectors.slice(first)) selector.moved = true;
  }

  #primary(): void {
    const token = this.#peek();
    if (token === undefined) this.#fail('an expression is missing');
    switch (token.kind) {
      case 'number':
      case 'duration':
      case 'string':
        this.#at += 1;
        return;
      case 'identifier':
        this.#word(token);
        return;
      case 'operator':
        if (token.text === '{') {
          this.#selector(undefined, this.#at);
          return;
        }
        this.#expect('(');
        this.#expression();
        this.#expect(')');
        return;
      case 'range':
        this.#fail('a range needs a selector before it');
    }
  }

  #word(token: Token): void {
    const word = token.text.toLowerCase();
    const from = this.#at;
    this.#at += 1;
    if (word === 'inf' || word === 'nan') return;
    if (aggregations.has(word)) {
      this.#aggregation();
      return;
    }
    if (this.#is('(')) {
      if (keywords.has(word)) this.#fail(`${token.text} is not a function`, token);
      this.#functions.add(token.text);
      this.#arguments();
      return;
    }
    if (keywords.has(word))
      this.#fail(
        `${token.text} is a keyword; write {__name__="${token.text}"} for a metric of that name`,
        token,
      );
    this.#selector(token.text, from);
  }

  #aggregation(): void {
    const grouped = this.#grouping();
    this.#arguments();
    if (!grouped) this.#grouping();
  }

  #grouping(): boolean {
    if (!this.#acceptWord('by') && !this.#acceptWord('without')) return false;
    this.#labelList();
    return true;
  }

  #arguments(): void {
    this.#expect('(');
    if (this.#accept(')')) return;
    do this.#expression();
    while (this.#accept(','));
    this.#expect(')');
  }

  #labelList(): void {
    this.#expect('(');
    while (!this.#accept(')')) {
      this.#labelName();
      if (!this.#accept(',')) {
        this.#expect(')');
        return;
      }
    }
  }

  #labelName(): string {
    const token = this.#peek();
    const isName = token?.kind === 'string' || (token?.kind === 'identifier' && !token.text.includes(':'));
    if (token === undefined || !isName) this.#fail('a label name is missing');
    this.#at += 1;
    return token.text;
  }

  #selector(name: string | undefined, from: number): void {
    const matchers: string[] = [];
    if (this.#accept('{')) {
      let quotedName = false;
      while (!this.#accept('}')) {
        const label = this.#labelName();
        const operator = this.#peek();
        if (operator?.kind === 'operator' && ['=', '!=', '=~', '!~'].includes(operator.text)) {
          this.#at += 1;
          const value = this.#peek();
          if (value?.kind !== 'string') this.#fail('a label matcher needs a string');
          this.#at += 1;
          matchers.push(`${label}${operator.text}${value.text}`);
        } else {
          // A string alone is a metric name in quotes, once and only when there is none before the braces.
          if (name !== undefined || quotedName || !/^["'`]/.test(label))
            this.#fail('a label matcher is not complete');
          quotedName = true;
          matchers.push(label);
        }
        if (!this.#accept(',')) {
          this.#expect('}');
          break;
        }
      }
    }
    this.#selectors.push({ name, matchers, from, to: this.#at, moved: false });
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #is(operator: string): boolean {
    const token = this.#peek();
    return token?.kind === 'operator' && token.text === operator;
  }

  #accept(operator: string): boolean {
    if (!this.#is(operator)) return false;
    this.#at += 1;
    return true;
  }

  #acceptWord(word: string): boolean {
    const token = this.#peek();
    if (token?.kind !== 'identifier' || token.text.toLowerCase() !== word) return false;
    this.#at += 1;
    return true;
  }

  #expect(operator: string): void {
    if (!this.#accept(operator)) this.#fail(`${operator} is missing`);
  }

  #fail(message: string, token = this.#peek()): never {
    const last = this.#tokens.at(-1);
    throw new PromqlError(message, token?.at ?? (last === undefined ? 0 : last.at + last.text.length));
  }
}
