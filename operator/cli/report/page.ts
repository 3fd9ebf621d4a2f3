/**
 * The frame of a report: one file that opens anywhere, prints, and needs no script and no network. Its policy says so to
 * the browser as well, so that whatever a file name smuggles in has nothing to run.
 */
import { escaped } from './draw/markup.ts';
import { colourRules } from './draw/palette.ts';

export interface Page {
  readonly title: string;
  /** What was found, in one sentence. */
  readonly headline: string;
  /** Sentences below it. */
  readonly lead: readonly string[];
  /** HTML. */
  readonly sections: readonly string[];
  /** How to make this page again. */
  readonly command: string;
}

export function page({ title, headline, lead, sections, command }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${colourRules()}
${RULES}</style>
</head>
<body>
<header>
<p class="kind">${escaped(title)}</p>
<h1>${escaped(headline)}</h1>
${lead.map((sentence) => `<p class="lead">${escaped(sentence)}</p>`).join('\n')}
</header>
${sections.filter((each) => each !== '').join('\n')}
<footer><p>Made by <code>${escaped(command)}</code></p></footer>
</body>
</html>
`;
}

export function section(title: string, content: string, id?: string): string {
  if (content === '') return '';
  const anchor = id === undefined ? '' : ` id="${escaped(id)}"`;
  return `<section${anchor}><h2>${escaped(title)}</h2>\n${content}\n</section>`;
}

export function paragraph(text: string): string {
  return `<p>${escaped(text)}</p>`;
}

export function figure(svg: string, caption = ''): string {
  if (svg === '') return '';
  const words = caption === '' ? '' : `<figcaption>${escaped(caption)}</figcaption>`;
  return `<figure>${svg}${words}</figure>`;
}

/** Folded away until somebody wants it. */
export function folded(title: string, content: string): string {
  return content === '' ? '' : `<details><summary>${escaped(title)}</summary>\n${content}\n</details>`;
}

const RULES = `body{font-family:system-ui,sans-serif;line-height:1.45;color:var(--ink);background:var(--paper);max-width:1240px;margin:1.5rem auto;padding:0 1rem}
h1{font-size:1.7rem;line-height:1.25;margin:.2rem 0 .6rem}h2{font-size:1.25rem;margin:2.2rem 0 .6rem}h3{font-size:1.05rem;margin:1.6rem 0 .4rem}
.kind,.note,figcaption,footer{color:var(--muted)}.kind{margin:0}.lead{margin:.2rem 0;font-size:1.05rem}
figure{margin:.6rem 0 1.6rem}figcaption{font-size:.9rem}svg{width:100%;height:auto;display:block}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--muted);padding:.9rem 0 .2rem}
th,td{padding:.3rem .7rem;border-bottom:1px solid var(--grid);text-align:right;vertical-align:top;white-space:nowrap}
th:first-child,td:first-child,.text{text-align:left}th{font-weight:600}td.text{white-space:normal}
.better{color:var(--better);font-weight:600}.worse{color:var(--worse);font-weight:600}
.overview td{line-height:1.5}.overview small{color:var(--muted)}a{color:inherit}
summary{cursor:pointer;font-weight:600;margin:.8rem 0}code{background:var(--grid);padding:.1rem .3rem;border-radius:3px;overflow-wrap:anywhere}
@media print{details{display:block}}`;
