/** Text into SVG and HTML. Names of traces come from file names that anybody may have chosen. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Safe inside an element and inside a quoted attribute; characters that XML forbids become a visible stand-in. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '').replace(FORBIDDEN, '\uFFFD');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are meant
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g;

/** At most `length` characters: the middle goes, since names of traces differ at both ends. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  const head = Math.ceil((length - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (length - 1 - head))}`;
}
