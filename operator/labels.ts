/**
 * Kubernetes label selectors: the object form (`matchLabels`, `matchExpressions`) written as the text that the
 * API takes, and that text as a predicate over labels. Both directions are needed because a Deployment carries
 * the object and `/scale` carries the text.
 */
import { ForesailError } from './errors.ts';

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?:
    | readonly {
        readonly key: string;
        readonly operator: string;
        readonly values?: readonly string[] | undefined;
      }[]
    | undefined;
}

export type Labels = Readonly<Record<string, string>>;

export interface ParsedSelector {
  matches(labels: Labels | undefined): boolean;
  /** The `key=value` requirements: every match carries each of them, so any one may serve as an index key. */
  readonly equalities: readonly string[];
}

/**
 * Requirements by key and values sorted, as Kubernetes' own clients write them; '' selects all.
 *
 * @throws ForesailError `SELECTOR_INVALID` for an unknown operator.
 */
export function formatSelector(selector: LabelSelector): string {
  const requirements = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    text: `${key}=${value}`,
  }));
  for (const { key, operator, values = [] } of selector.matchExpressions ?? [])
    requirements.push({ key, text: expressionText(key, operator, [...values].sort().join(',')) });
  return requirements
    .sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map(({ text }) => text)
    .join(',');
}

function expressionText(key: string, operator: string, values: string): string {
  switch (operator) {
    case 'In':
      return `${key} in (${values})`;
    case 'NotIn':
      return `${key} notin (${values})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    default:
      throw invalid(operator);
  }
}

type Requirement = (labels: Labels) => boolean;

const SET = /^([^\s!=(),]+)\s+(in|notin)\s+\(([^()]*)\)$/;
const EQUAL = /^([^\s!=(),]+)\s*(==|=|!=)\s*([^\s!=(),]*)$/;
const EXISTS = /^(!?)\s*([^\s!=(),]+)$/;

/** @throws ForesailError `SELECTOR_INVALID` naming the part that cannot be read. */
export function parseSelector(text: string): ParsedSelector {
  const requirements: Requirement[] = [];
  const equalities: string[] = [];
  for (const part of splitOutsideParentheses(text)) {
    const set = SET.exec(part);
    const equal = EQUAL.exec(part);
    const exists = EXISTS.exec(part);
    if (set !== null) {
      const [, key = '', operator, list = ''] = set;
      const values = new Set(list.split(',').map((value) => value.trim()));
      requirements.push((labels) => {
        const value = own(labels, key);
        // As in Kubernetes, `notin` and `!=` also select objects without the label.
        return operator === 'in'
          ? value !== undefined && values.has(value)
          : value === undefined || !values.has(value);
      });
    } else if (equal !== null) {
      const [, key = '', operator, value = ''] = equal;
      if (operator === '!=') requirements.push((labels) => own(labels, key) !== value);
      else {
        equalities.push(`${key}=${value}`);
        requirements.push((labels) => own(labels, key) === value);
      }
    } else if (exists !== null) {
      const [, not = '', key = ''] = exists;
      requirements.push((labels) => (own(labels, key) === undefined) === (not === '!'));
    } else throw invalid(part);
  }
  return {
    equalities,
    matches: (labels = {}) => requirements.every((requirement) => requirement(labels)),
  };
}

function own(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function splitOutsideParentheses(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function invalid(part: string): ForesailError {
  return new ForesailError(
    'SELECTOR_INVALID',
    'terminal',
    `label selector cannot be read at ${JSON.stringify(part)}`,
    {
      subject: part,
    },
  );
}
