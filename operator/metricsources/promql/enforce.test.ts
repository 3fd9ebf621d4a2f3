/** Every selector of a tenant's query must carry the tenant's namespace; what cannot be read is refused. */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { enforceLabelIn } from './enforce.ts';
import { aggregations, pureFunctions } from './names.ts';
import { parseQuery } from './parser.ts';
import { PromqlError, tokenize } from './tokens.ts';

const matcher = { label: 'namespace', value: 'shop' };
const N = 'namespace="shop"';
const enforce = (query: string) => enforceLabelIn(query, matcher);

describe('rewrites', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['up', `up{${N}}`],
    ['up{}', `up{${N}}`],
    ['{job="a"}', `{job="a",${N}}`],
    ['up{job="a",}', `up{job="a",${N}}`],
    ['job:rate:sum', `job:rate:sum{${N}}`],
    ['rate(x[5m])', `rate ( x{${N}} [5m] )`],
    ['rate(x[ 5m ])', `rate ( x{${N}} [5m] )`],
    [
      'sum by (job, pod) (rate(x{a!="b"}[1h30m]))',
      `sum by ( job , pod ) ( rate ( x{a!="b",${N}} [1h30m] ) )`,
    ],
    ['SUM(x) BY (job)', `SUM ( x{${N}} ) BY ( job )`],
    ['a / on (pod) group_left (node) b', `a{${N}} / on ( pod ) group_left ( node ) b{${N}}`],
    ['a / ignoring(x) group_right b', `a{${N}} / ignoring ( x ) group_right b{${N}}`],
    ['a > bool 5', `a{${N}} > bool 5`],
    ['a and b or c unless d', `a{${N}} and b{${N}} or c{${N}} unless d{${N}}`],
    ['max_over_time(rate(x[5m])[1h:1m])', `max_over_time ( rate ( x{${N}} [5m] ) [1h:1m] )`],
    ['x[1h:] offset -5m', `x{${N}} [1h:] offset - 5m`],
    ['x @ 1609746000', `x{${N}} @ 1609746000`],
    ['x @ end()', `x{${N}} @ end ( )`],
    ['-x + +1', `- x{${N}} + + 1`],
    ['{"quoted.name"}', `{"quoted.name",${N}}`],
    ['{"quoted.name", "odd.label"=~\'a.*\'}', `{"quoted.name","odd.label"=~'a.*',${N}}`],
    ['label_replace(up, "a", "$1", "b", "(.*)")', `label_replace ( up{${N}} , "a" , "$1" , "b" , "(.*)" )`],
    ['topk(5, x)', `topk ( 5 , x{${N}} )`],
    ['count_values("version", x)', `count_values ( "version" , x{${N}} )`],
    ['vector(1) + time() * 0x1F + .5e-3 + 1h30m', 'vector ( 1 ) + time ( ) * 0x1F + .5e-3 + 1h30m'],
    ['Inf + NaN', 'Inf + NaN'],
    ['(((x)))', `( ( ( x{${N}} ) ) )`],
    // Label names may be words of the language; so may labels of a grouping.
    ['x{by="1", offset="2", on="3"}', `x{by="1",offset="2",on="3",${N}}`],
    ['sum by (by, offset) (x)', `sum by ( by , offset ) ( x{${N}} )`],
  ];
  test.each(rows)('%s', (query, expected) => {
    expect(enforce(query)).toBe(expected);
  });
});

describe('leaves no way round', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['another namespace asked for', 'x{namespace="other"}', `x{namespace="other",${N}}`],
    ['any namespace asked for', 'x{namespace=~".*"}', `x{namespace=~".*",${N}}`],
    ['the name by a matcher', '{__name__=~".+"}', `{__name__=~".+",${N}}`],
    ['a brace in a string', 'x{a="}"} or y', `x{a="}",${N}} or y{${N}}`],
    ['a quote in a string', 'x{a="\\"} or y{b=\\""}', `x{a="\\"} or y{b=\\"",${N}}`],
    ['a backslash before the quote', 'x{a="\\\\"} or y', `x{a="\\\\",${N}} or y{${N}}`],
    ['a backslash in a raw string', 'x{a=`\\`} or y', `x{a=\`\\\`,${N}} or y{${N}}`],
    ['a hash in a string', 'x{a="#"} or y', `x{a="#",${N}} or y{${N}}`],
    ['a comment that hides a quote', 'x # "\nor y # "', `x{${N}} or y{${N}}`],
    ['a comment that a carriage return ends', 'x # \r or y', `x{${N}} or y{${N}}`],
    ['a comment at the end', 'x{a="b"} # }', `x{a="b",${N}}`],
    ['a metric that is called like a function', 'rate + rate(x[5m])', `rate{${N}} + rate ( x{${N}} [5m] )`],
    ['labels that look like a selector', 'sum(x) by (secret)', `sum ( x{${N}} ) by ( secret )`],
    [
      'a selector in the parameter of an aggregation',
      'topk(scalar(y), x)',
      `topk ( scalar ( y{${N}} ) , x{${N}} )`,
    ],
    ['a selector inside absent', 'absent(x)', `absent ( x{${N}} )`],
  ];
  test.each(rows)('%s', (_, query, expected) => {
    expect(enforce(query)).toBe(expected);
  });
});

describe('refuses', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['only a comment', '# x'],
    ['two queries', 'x y'],
    ['a brace that is not closed', 'x{a="b"'],
    ['a brace too many', 'x{}}'],
    ['a string that is not closed', 'x{a="b}'],
    ['a line break in a string', 'x{a="b\n"}'],
    ['a null byte in a string', 'x{a="\0"}'],
    ['a half surrogate', 'x{a="\ud800"}'],
    ['a matcher without a value', 'x{a=}'],
    ['a matcher without an operator', 'x{a "b"}'],
    ['a matcher with an unknown operator', 'x{a=="b"}'],
    ['alternatives inside the braces, as VictoriaMetrics has them', 'x{a="b" or c="d"}'],
    ['a name before and inside the braces', 'x{"y"}'],
    ['two names inside the braces', '{"x","y"}'],
    ['templates of VictoriaMetrics', 'WITH (y = x) y'],
    ['an operator of VictoriaMetrics', 'x default y'],
    ['a keyword as a metric', 'sum'],
    ['a keyword as a metric in front', 'offset'],
    ['info(), which reads target_info by itself', 'info(x)'],
    ['info() with a selector', 'info(x, {job="a"})'],
    ['a function that is not known', 'secrets_of(x)'],
    ['a function in another case', 'RATE(x[5m])'],
    ['a comment inside a range', 'x[5m # ]\n]'],
    ['an expression inside a range', 'x[5m*2]'],
    ['a range without a selector', '[5m]'],
    ['a unicode name', 'é'],
    ['a no-break space', 'x\u00a0+ y'],
    ['a semicolon', 'x; y'],
    ['grouping by an expression', 'sum by (x{}) (y)'],
    ['group_left without an operand', 'a / on (x) group_left (secret)'],
    ['a binary operator without an operand', 'x +'],
    ['fill, whose arguments are not read', 'a + fill(0) b'],
    ['parentheses nested very deep', `${'('.repeat(5000)}x${')'.repeat(5000)}`],
    ['a query of a megabyte', 'x + '.repeat(250_000)],
  ];
  test.each(rows)('%s', (_, query) => {
    expect(() => enforce(query)).toThrow(PromqlError);
  });

  test('a value that would need escaping', () => {
    expect(() => enforceLabelIn('x', { label: 'namespace', value: 'a"} or {b="' })).toThrow(PromqlError);
  });
});

/** Queries made from the grammar, so that nearly all of them are read. */
const name = fc.constantFrom('x', 'http_requests_total', 'job:rate', 'rate', 'é_is_not_one', 'namespace');
const string = fc.oneof(
  fc.constantFrom('"a"', "'a\\'b'", '`{}#"`', '"#{}"', '"\\\\"'),
  fc.string({ maxLength: 8 }).map((text) => JSON.stringify(text)),
);
const label = fc.tuple(
  fc.constantFrom('job', 'namespace', 'by', '"a.b"'),
  fc.constantFrom('=', '!=', '=~'),
  string,
);
const selector = fc
  .tuple(fc.option(name, { nil: '' }), fc.array(label, { maxLength: 3 }))
  .map(([metric, labels]) => `${metric}{${labels.map((parts) => parts.join('')).join(', ')}}`);
const { query } = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(selector, name),
    fc
      .tuple(tie('query'), fc.constantFrom('+', '/ on (a) group_left (b)', 'or', '> bool'), tie('query'))
      .map((p) => p.join(' ')),
    tie('query').map((inner) => `rate((${inner})[5m:1m])`),
    tie('query').map((inner) => `sum by (job) (${inner})`),
    tie('query').map((inner) => `(${inner}) # comment { " \n`),
    tie('query').map((inner) => `label_replace(${inner}, "a", "b", "c", "(.*)")`),
  ),
}));

function rewritten(text: string): string | undefined {
  try {
    return enforce(text);
  } catch (error) {
    if (error instanceof PromqlError) return undefined;
    throw error;
  }
}

function expectTied(output: string): void {
  const again = parseQuery(output);
  for (const { matchers } of again.selectors) expect(matchers).toContain(N);
  // A second look that shares nothing with the parser: outside of strings, each word that is no keyword, function,
  // label or unit stands directly before a brace.
  const bare = output
    .replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g, '""')
    .replaceAll(/\{[^{}]*\}/g, (braces) => (braces.includes('namespace=""}') ? '{N}' : '{LEAK}'));
  expect(bare).not.toContain('{LEAK}');
  const words = bare.replaceAll(/(?:by|without|on|ignoring|group_left|group_right) \([^()]*\)/gi, '');
  for (const [whole, word = '', after = ''] of words.matchAll(
    /(?<![\w:.{])([a-zA-Z_:][\w:]*)(\s*\(|\{N\})?/g,
  )) {
    const lower = word.toLowerCase();
    const isWord =
      aggregations.has(lower) ||
      /^(and|or|unless|bool|offset|inf|nan|atan2|start|end|by|without|on|ignoring|group_left|group_right)$/.test(
        lower,
      );
    if (after === '{N}' || isWord) continue;
    expect({ whole, isFunction: after.includes('(') && pureFunctions.has(word) }).toMatchObject({
      isFunction: true,
    });
  }
}

describe('for any query', () => {
  test('made from the grammar, each selector is tied and the result is read as it was written', () => {
    let read = 0;
    fc.assert(
      fc.property(query, (text) => {
        const output = rewritten(text);
        if (output === undefined) return;
        read += 1;
        expectTied(output);
        // Once more changes nothing but the repeated matcher, so both readings cut at the same places.
        expect(enforce(output).replaceAll(`,${N}`, '')).toBe(output.replaceAll(`,${N}`, ''));
      }),
      { numRuns: 500 },
    );
    expect(read).toBeGreaterThan(200);
  });

  test('with characters thrown in or taken out, it is tied or refused, never passed by', () => {
    const noise = fc.constantFrom(
      '"',
      "'",
      '`',
      '{',
      '}',
      '(',
      ')',
      '#',
      '\n',
      '\r',
      '\\',
      ',',
      '[',
      ']',
      '=',
      ' ',
      'x',
    );
    fc.assert(
      fc.property(query, fc.array(fc.tuple(fc.nat(), fc.nat(3), noise), { maxLength: 4 }), (text, edits) => {
        let edited = text;
        for (const [at, drop, insert] of edits) {
          const place = at % (edited.length + 1);
          edited = edited.slice(0, place) + insert + edited.slice(place + drop);
        }
        const output = rewritten(edited);
        if (output !== undefined) expectTied(output);
      }),
      { numRuns: 2000 },
    );
  });

  test('of any characters, there are tokens or a PromqlError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        try {
          const total = tokenize(text).reduce((sum, token) => sum + token.text.length, 0);
          expect(total).toBeLessThanOrEqual(text.length);
        } catch (error) {
          expect(error).toBeInstanceOf(PromqlError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
