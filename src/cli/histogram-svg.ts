/**
 * Counts over time as SVG: a column for each stretch of time, the levels on top of each other, the worst at the
 * top. It is a file of its own, with its own colours, for light and dark.
 *
 *     +--------------------------------------+
 *     | name                    INFO  ERROR  |
 *     | 4,821 |      _                       |
 *     |       |   _ | |_                     |
 *     |     0 +--------------------------    |
 *     |       2009-03-02      2009-03-03     |
 *     +--------------------------------------+
 *
 * @module
 */

import type { EventHistogram } from '../events/histogram.ts';
import { escapeXml } from '../lab/report/chart.ts';
import { LEVEL_NAMES, type Level } from '../levels.ts';
import { formatCount, formatDuration, formatTime } from './format.ts';

const WIDTH = 720;
const HEIGHT = 300;
const LEFT = 76;
const RIGHT = 16;
const TOP = 44;
const BOTTOM = 40;
const LEGEND_WIDTH = 72;
/** What is left between columns, where they are wide enough for it. */
const GAP = 1;

/** A colour of each level in the light and in the dark; those of Okabe and Ito (2008), and greys. */
const COLOURS: Readonly<Record<Level, readonly [light: string, dark: string]>> = {
  OTHER: ['#9ca3af', '#6b7280'],
  TRACE: ['#cbd5e1', '#475569'],
  DEBUG: ['#56b4e9', '#9bd4f5'],
  INFO: ['#0072b2', '#5aa9e6'],
  NOTICE: ['#009e73', '#2fd3a4'],
  WARN: ['#e69f00', '#ffc04d'],
  ERROR: ['#d55e00', '#ff8a4c'],
  FATAL: ['#7b2d8b', '#b77bd1'],
};

const colours = (dark: 0 | 1): string =>
  LEVEL_NAMES.map((level) => `.${level}{fill:${COLOURS[level][dark]}}`).join('');

const STYLE = `svg{background:#fff;font:13px system-ui,sans-serif}text{fill:#1f2937}.faint{fill:#6b7280}line{stroke:#e5e7eb}${colours(0)}@media(prefers-color-scheme:dark){svg{background:#111827}text{fill:#e5e7eb}.faint{fill:#9ca3af}line{stroke:#374151}${colours(1)}}`;

const round = (value: number): string => String(Math.round(value * 100) / 100);

/**
 * Draws counts over time.
 *
 * @param name what they are counted of
 */
export function drawHistogram(
  name: string,
  { startMs, widthMs, counts, levels = {} }: EventHistogram,
): string {
  const shown = LEVEL_NAMES.filter((level) => levels[level] !== undefined);
  const most = Math.max(1, ...counts);
  const step = (WIDTH - LEFT - RIGHT) / Math.max(1, counts.length);
  const height = HEIGHT - TOP - BOTTOM;
  const bottom = HEIGHT - BOTTOM;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const summary = `${name}: ${formatCount(total)} entries`;
  const parts = [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(summary)}" xmlns="http://www.w3.org/2000/svg">`,
    `<style>${STYLE}</style>`,
    `<text x="${LEFT}" y="20">${escapeXml(summary)}</text>`,
    ...legend(shown),
    ...[0, 0.5, 1].map((share) => gridLine(bottom - share * height, share * most)),
  ];
  for (const [i, count] of counts.entries()) {
    if (count === 0) continue;
    let y = bottom;
    const x = LEFT + i * step;
    const title = `${formatTime((startMs ?? 0) + i * widthMs)}: ${formatCount(count)}`;
    const bars = shown.map((level) => {
      const own = ((levels[level]?.[i] ?? 0) / most) * height;
      y -= own;
      return own === 0
        ? ''
        : `<rect class="${level}" x="${round(x)}" y="${round(y)}" width="${round(Math.max(0.5, step - (step > 4 ? GAP : 0)))}" height="${round(own)}"/>`;
    });
    parts.push(`<g><title>${escapeXml(title)}</title>${bars.join('')}</g>`);
  }
  if (startMs !== undefined) parts.push(...times(startMs, widthMs, counts.length));
  return `${[...parts, '</svg>'].join('\n')}\n`;
}

function gridLine(y: number, value: number): string {
  return (
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y)}" y2="${round(y)}"/>` +
    `<text class="faint" x="${LEFT - 8}" y="${round(y + 4)}" text-anchor="end">${formatCount(value)}</text>`
  );
}

function legend(shown: readonly Level[]): string[] {
  return shown.map((level, i) => {
    const x = WIDTH - RIGHT - (shown.length - i) * LEGEND_WIDTH;
    return `<rect class="${level}" x="${x}" y="11" width="10" height="10"/><text x="${x + 15}" y="20">${level}</text>`;
  });
}

function times(startMs: number, widthMs: number, buckets: number): string[] {
  const y = HEIGHT - 16;
  return [
    `<text class="faint" x="${LEFT}" y="${y}">${formatTime(startMs)}</text>`,
    `<text class="faint" x="${WIDTH / 2}" y="${y}" text-anchor="middle">a column is ${formatDuration(widthMs)}</text>`,
    `<text class="faint" x="${WIDTH - RIGHT}" y="${y}" text-anchor="end">${formatTime(startMs + buckets * widthMs)}</text>`,
  ];
}
