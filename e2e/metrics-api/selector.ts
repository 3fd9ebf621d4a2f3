/** Label selectors as they stand in a query string: `a=b,c!=d,e in (f,g),h,!i`. */

export type Labels = Readonly<Record<string, string>>;

const REQUIREMENT =
  /^(?:(?<absent>!)\s*)?(?<key>[\w./-]+)\s*(?:(?<sign>==?|!=)\s*(?<value>[\w.-]*)|(?<not>not)?in\s*\((?<set>[^)]*)\))?$/;

/** Throws on what it cannot read: a selector that matches everything by mistake would make a test lie. */
export function parseSelector(text: string): (labels: Labels) => boolean {
  const checks = splitOutsideParentheses(text).map(requirement);
  return (labels) => checks.every((check) => check(labels));
}

function requirement(text: string): (labels: Labels) => boolean {
  const parts = REQUIREMENT.exec(text.trim())?.groups;
  const key = parts?.['key'];
  if (!parts || key === undefined) throw new Error(`not a label requirement: "${text}"`);
  if (parts['absent']) return (labels) => labels[key] === undefined;
  if (parts['sign'] === '!=') return (labels) => labels[key] !== parts['value'];
  if (parts['sign']) return (labels) => labels[key] === parts['value'];
  if (parts['set'] !== undefined) {
    const values = new Set(parts['set'].split(',').map((value) => value.trim()));
    const inside = (labels: Labels) => labels[key] !== undefined && values.has(labels[key]);
    return parts['not'] ? (labels) => !inside(labels) : inside;
  }
  return (labels) => labels[key] !== undefined;
}

function splitOutsideParentheses(text: string): string[] {
  return text.split(/,(?![^(]*\))/).filter((part) => part.trim() !== '');
}
