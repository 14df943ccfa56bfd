/**
 * Charts as SVG, without a library: lines and points over logarithmic axes. Colours and type come from the
 * style sheet of the page, so that one drawing serves light and dark.
 *
 *     +--------------------------------------+
 *     | y title                              |
 *     |  10 |- - - - - - - - - - - - - - -   |
 *     |   1 |        .-----x                 |
 *     | 0.1 |x------'                        |
 *     |     +-----|--------|--------|-----   |
 *     |           1        10       100      |
 *     |                              x title |
 *     +--------------------------------------+
 *
 * @module
 */

/** Where a value lies on an axis, from 0 at its start to 1 at its end. */
export interface Axis {
  readonly title: string;
  readonly place: (value: number) => number;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
  /** What it says when one points at it. */
  readonly note: string;
}

export interface Series {
  readonly name: string;
  /** Number of its colour in the style sheet, from 0. */
  readonly colour: number;
  /** Something to hold the others against: drawn thinner and dashed. */
  readonly isReference?: boolean;
  readonly points: readonly Point[];
}

export interface Chart {
  /** What the chart shows, in a sentence, for those who do not see it. */
  readonly summary: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** Whether points of a series are joined; otherwise each is named beside it. */
  readonly isJoined: boolean;
}

const WIDTH = 720;
const HEIGHT = 440;
const LEFT = 76;
const RIGHT = 36;
const TOP = 30;
const BOTTOM = 52;
const LABEL_GAP = 15;
const SYMBOL = 4.5;

const round = (value: number): string => String(Math.round(value * 100) / 100);

/** Text inside of XML. */
export function escapeXml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => names[character] as string);
}

/** Draws a chart. */
export function drawChart(chart: Chart): string {
  const x = (value: number): number => LEFT + chart.x.place(value) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - chart.y.place(value) * (HEIGHT - TOP - BOTTOM);
  const parts = [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(chart.summary)}" xmlns="http://www.w3.org/2000/svg">`,
    ...gridOf(chart, x, y),
    ...chart.series.map((series) => drawSeries(series, chart.isJoined, x, y)),
    ...(chart.isJoined ? [] : namesOf(chart.series, x, y)),
    '</svg>',
  ];
  return parts.join('\n');
}

type Scale = (value: number) => number;

function gridOf(chart: Chart, x: Scale, y: Scale): string[] {
  const bottom = HEIGHT - BOTTOM;
  const right = WIDTH - RIGHT;
  return [
    ...chart.y.ticks.flatMap(({ value, label }) => [
      `<line class="grid" x1="${LEFT}" x2="${right}" y1="${round(y(value))}" y2="${round(y(value))}"/>`,
      `<text class="tick" x="${LEFT - 8}" y="${round(y(value) + 4)}" text-anchor="end">${escapeXml(label)}</text>`,
    ]),
    ...chart.x.ticks.flatMap(({ value, label }) => [
      `<line class="grid" x1="${round(x(value))}" x2="${round(x(value))}" y1="${TOP}" y2="${bottom}"/>`,
      `<text class="tick" x="${round(x(value))}" y="${bottom + 18}" text-anchor="middle">${escapeXml(label)}</text>`,
    ]),
    `<text class="axis" x="${LEFT - 60}" y="16">${escapeXml(chart.y.title)}</text>`,
    `<text class="axis" x="${right}" y="${HEIGHT - 10}" text-anchor="end">${escapeXml(chart.x.title)}</text>`,
  ];
}

function drawSeries(series: Series, isJoined: boolean, x: Scale, y: Scale): string {
  const { colour, points, isReference } = series;
  const path = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${round(x(point.x))} ${round(y(point.y))}`);
  const line = isJoined && points.length > 1 ? `<path class="line" d="${path.join('')}"/>` : '';
  const symbols = points.map(
    (point) =>
      `<circle cx="${round(x(point.x))}" cy="${round(y(point.y))}" r="${SYMBOL}"><title>${escapeXml(point.note)}</title></circle>`,
  );
  const kind = isReference === true ? ' reference' : '';
  return `<g class="series c${colour}${kind}">${line}${symbols.join('')}</g>`;
}

/** Names beside points, moved down until they lie on no other. */
function namesOf(series: readonly Series[], x: Scale, y: Scale): string[] {
  const placed: { x: number; y: number; width: number }[] = [];
  const labels = series.flatMap(({ name, colour, points }) =>
    points.map((point) => ({ name, colour, x: x(point.x), y: y(point.y) })),
  );
  labels.sort((a, b) => a.y - b.y);
  return labels.map((label) => {
    const width = label.name.length * 7;
    const isLeft = label.x + width + 10 > WIDTH - RIGHT;
    const left = isLeft ? label.x - 9 - width : label.x + 9;
    let at = label.y + 4;
    const isTaken = (): boolean =>
      placed.some(
        (other) =>
          Math.abs(other.y - at) < LABEL_GAP && left < other.x + other.width && other.x < left + width,
      );
    while (isTaken() && at < HEIGHT - BOTTOM) at += LABEL_GAP;
    placed.push({ x: left, y: at, width });
    const anchor = isLeft ? ' text-anchor="end"' : '';
    const textX = isLeft ? label.x - 9 : label.x + 9;
    return `<text class="name c${label.colour}" x="${round(textX)}" y="${round(at)}"${anchor}>${escapeXml(label.name)}</text>`;
  });
}

/** Powers of ten that hold all values; at least one decade. */
export function logAxis(title: string, values: readonly number[], label: (value: number) => string): Axis {
  const known = values.filter((value) => value > 0 && Number.isFinite(value));
  const low = Math.floor(Math.log10(known.length === 0 ? 1 : Math.min(...known)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(known.length === 0 ? 10 : Math.max(...known))));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => {
    const value = 10 ** (low + i);
    return { value, label: label(value) };
  });
  const place = (value: number): number => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low);
  return { title, place, ticks };
}

/** A logarithmic axis with marks at given values, with some room on both sides. */
export function markedAxis(title: string, values: readonly number[], label: (value: number) => string): Axis {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const low = Math.log(sorted[0] ?? 1);
  const high = Math.log(sorted.at(-1) ?? 1);
  const room = 0.06;
  const place = (value: number): number =>
    high === low ? 0.5 : room + ((1 - 2 * room) * (Math.log(value) - low)) / (high - low);
  return { title, place, ticks: sorted.map((value) => ({ value, label: label(value) })) };
}

/** Shares of all, each further decade of nines as far as the one before: 0, 90 %, 99 %, 99.9 %, ... */
export function ninesAxis(title: string, shareMax: number): Axis {
  const nines = (share: number): number => -Math.log10(Math.max(1 - share, 1e-7));
  const end = Math.max(1, nines(shareMax));
  const ticks = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999]
    .filter((share) => nines(share) <= end + 1e-9)
    .map((share) => ({ value: share, label: `${Number((share * 100).toFixed(3))} %` }));
  return { title, place: (share) => Math.min(1, nines(share) / end), ticks };
}

/** A logarithmic axis that has a place for zero, at its start. */
export function zeroLogAxis(
  title: string,
  values: readonly number[],
  label: (value: number) => string,
): Axis {
  const axis = logAxis(
    title,
    values.filter((value) => value > 0),
    label,
  );
  const zero = 0.04;
  const from = 0.14;
  return {
    title,
    place: (value) => (value > 0 ? from + (1 - from) * axis.place(value) : zero),
    ticks: [{ value: 0, label: '0' }, ...axis.ticks],
  };
}
