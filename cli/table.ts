/** A column: its heading, and whether its cells are numbers, which stand at the right. */
export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/**
 * Rows under headings, two spaces between the columns. Where that is wider than `width` characters, the widest columns
 * are cut in the middle, down to eight.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = Infinity,
): string {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  shrink(widths, width - 2 * (columns.length - 1));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => {
        const text = cut(cell, widths[i]);
        return columns[i].right ? text.padStart(widths[i]) : text.padEnd(widths[i]);
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)].map((text) => `${text}\n`).join('');
}

const NARROWEST = 8;

function shrink(widths: number[], limit: number): void {
  let excess = widths.reduce((sum, width) => sum + width, 0) - limit;
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest] <= NARROWEST) return;
    widths[widest]--;
    excess--;
  }
}

function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  const tail = Math.floor((width - 1) / 2);
  return `${text.slice(0, width - 1 - tail)}…${text.slice(text.length - tail)}`;
}
