/**
 * Counts over time as a chart of block characters, an eighth of a line fine:
 *
 *     4,821 ┤      ▂█▅
 *           │   ▃▇█████▆▂
 *         0 ┼▁▂▅█████████▇▃▁
 *           2009-03-02T05:30:00Z, a column is 2 h
 *
 * @module
 */

import { formatCount } from './format.ts';
import { pad } from './table.ts';

const BLOCKS = ' ▁▂▃▄▅▆▇█';
const EIGHTHS = 8;

/**
 * Draws counts.
 *
 * @param counts one a column
 * @param height in lines
 * @param style applied to the columns
 * @returns lines, each ending in a newline
 */
export function renderChart(
  counts: readonly number[],
  height: number,
  style: (text: string) => string = (text) => text,
): string {
  const most = Math.max(1, ...counts);
  const width = formatCount(most).length;
  const lines: string[] = [];
  for (let line = height - 1; line >= 0; line--) {
    let bars = '';
    for (const count of counts) {
      // What is there at all is seen.
      const eighths = count === 0 ? 0 : Math.max(1, Math.round((count / most) * height * EIGHTHS));
      bars += BLOCKS[Math.min(EIGHTHS, Math.max(0, eighths - line * EIGHTHS))] ?? ' ';
    }
    const label = line === height - 1 ? formatCount(most) : line === 0 ? '0' : '';
    const axis = line === 0 ? '┼' : line === height - 1 ? '┤' : '│';
    lines.push(`${pad(label, width, 'right')} ${axis}${style(bars.trimEnd())}`);
  }
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}
