/** A table of records: columns are named once, with what stands in them and what it means. */
import { escaped } from './draw/markup.ts';

export interface Column<T> {
  readonly name: string;
  /** Shown when a mouse rests on the name. */
  readonly meaning?: string;
  readonly of: (row: T) => string;
  readonly isText?: boolean;
  readonly tone?: (row: T) => 'better' | 'worse' | undefined;
}

/** Nothing at all without rows. */
export function table<T>(rows: readonly T[], columns: readonly Column<T>[], caption = ''): string {
  if (rows.length === 0) return '';
  const heads = columns.map(({ name, meaning, isText }) => {
    const hint = meaning === undefined ? '' : ` title="${escaped(meaning)}"`;
    return `<th scope="col"${isText ? ' class="text"' : ''}${hint}>${escaped(name)}</th>`;
  });
  const lines = rows.map((row) => {
    const cells = columns.map(({ of, isText, tone }) => {
      const classes = [isText ? 'text' : '', tone?.(row) ?? ''].filter((each) => each !== '');
      const attribute = classes.length === 0 ? '' : ` class="${classes.join(' ')}"`;
      return `<td${attribute}>${escaped(of(row))}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  const words = caption === '' ? '' : `<caption>${escaped(caption)}</caption>`;
  return `<div class="scroll"><table>${words}<thead><tr>${heads.join('')}</tr></thead><tbody>
${lines.join('\n')}
</tbody></table></div>`;
}
