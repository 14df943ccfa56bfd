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

/** Where things lie in a drawing. */
export interface Frame {
  /** What the style sheet knows it by. */
  readonly name: 'wide' | 'narrow';
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  /** Between two lines of names, and the width of a letter in them. */
  readonly lineGap: number;
  readonly letter: number;
  readonly symbol: number;
}

/** For a desk, and for a phone, on which the letters of the first would be too small. */
export const FRAMES: readonly Frame[] = [
  {
    name: 'wide',
    width: 720,
    height: 440,
    left: 76,
    right: 36,
    top: 30,
    bottom: 52,
    lineGap: 15,
    letter: 7.4,
    symbol: 4.5,
  },
  {
    name: 'narrow',
    width: 360,
    height: 400,
    left: 52,
    right: 14,
    top: 28,
    bottom: 48,
    lineGap: 13,
    letter: 6.1,
    symbol: 3.5,
  },
];

const round = (value: number): string => String(Math.round(value * 100) / 100);

/** Text inside of XML. */
export function escapeXml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => names[character] as string);
}

/** Draws a chart. */
export function drawChart(chart: Chart, frame: Frame): string {
  const { name, width, height, left, right, top, bottom } = frame;
  const scales: Scales = {
    x: (value) => left + chart.x.place(value) * (width - left - right),
    y: (value) => height - bottom - chart.y.place(value) * (height - top - bottom),
  };
  const parts = [
    `<svg class="${name}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(chart.summary)}" xmlns="http://www.w3.org/2000/svg">`,
    ...gridOf(chart, frame, scales),
    ...chart.series.map((series) => drawSeries(series, chart.isJoined, frame, scales)),
    ...(chart.isJoined ? [] : namesOf(chart.series, frame, scales)),
    '</svg>',
  ];
  return parts.join('\n');
}

type Scale = (value: number) => number;

interface Scales {
  readonly x: Scale;
  readonly y: Scale;
}

function gridOf(chart: Chart, frame: Frame, { x, y }: Scales): string[] {
  const { left, top } = frame;
  const bottom = frame.height - frame.bottom;
  const right = frame.width - frame.right;
  let textEnd = 0;
  return [
    ...chart.y.ticks.flatMap(({ value, label }) => [
      `<line class="grid" x1="${left}" x2="${right}" y1="${round(y(value))}" y2="${round(y(value))}"/>`,
      `<text class="tick" x="${left - 8}" y="${round(y(value) + 4)}" text-anchor="end">${escapeXml(label)}</text>`,
    ]),
    ...chart.x.ticks.flatMap(({ value, label }) => {
      const at = x(value);
      // Numbers that would lie on one another: the later one goes without.
      const from = at - (label.length * frame.letter) / 2;
      const isHidden = from < textEnd;
      if (!isHidden) textEnd = from + (label.length + 1) * frame.letter;
      // The last one would stick out at the edge.
      const isLast = at + (label.length * frame.letter) / 2 > frame.width;
      return [
        `<line class="grid" x1="${round(at)}" x2="${round(at)}" y1="${top}" y2="${bottom}"/>`,
        isHidden
          ? ''
          : `<text class="tick" x="${round(isLast ? frame.width - 1 : at)}" y="${bottom + 18}" text-anchor="${isLast ? 'end' : 'middle'}">${escapeXml(label)}</text>`,
      ];
    }),
    `<text class="axis" x="${Math.min(16, left)}" y="16">${escapeXml(chart.y.title)}</text>`,
    `<text class="axis" x="${right}" y="${frame.height - 10}" text-anchor="end">${escapeXml(chart.x.title)}</text>`,
  ];
}

function drawSeries(series: Series, isJoined: boolean, { symbol }: Frame, { x, y }: Scales): string {
  const { colour, points, isReference } = series;
  const path = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${round(x(point.x))} ${round(y(point.y))}`);
  const line = isJoined && points.length > 1 ? `<path class="line" d="${path.join('')}"/>` : '';
  const symbols = points.map(
    (point) =>
      `<circle cx="${round(x(point.x))}" cy="${round(y(point.y))}" r="${symbol}"><title>${escapeXml(point.note)}</title></circle>`,
  );
  const kind = isReference === true ? ' reference' : '';
  return `<g class="series c${colour}${kind}">${line}${symbols.join('')}</g>`;
}

/** A name beside a point. */
interface Label {
  readonly name: string;
  readonly colour: number;
  /** Where the text begins, and where it ends. */
  readonly from: number;
  readonly to: number;
  readonly isLeft: boolean;
  y: number;
}

/** Names beside points, moved down until they lie on no other, and up again where that took them out of the frame. */
function namesOf(series: readonly Series[], frame: Frame, { x, y }: Scales): string[] {
  const labels = series
    .flatMap(({ name, colour, points }) =>
      points.map((point): Label => {
        const at = x(point.x);
        const width = name.length * frame.letter;
        const isLeft = at + width + 10 > frame.width;
        const from = isLeft ? at - 9 - width : at + 9;
        return { name, colour, from, to: from + width, isLeft, y: y(point.y) + 4 };
      }),
    )
    .sort((a, b) => a.y - b.y);
  settle(labels, frame);
  return labels.map(({ name, colour, from, to, isLeft, y: at }) => {
    const anchor = isLeft ? ' text-anchor="end"' : '';
    return `<text class="name c${colour}" x="${round(isLeft ? to : from)}" y="${round(at)}"${anchor}>${escapeXml(name)}</text>`;
  });
}

function settle(labels: readonly Label[], { lineGap, height, bottom }: Frame): void {
  const isBeside = (a: Label, b: Label): boolean => a.from < b.to && b.from < a.to;
  for (const [i, label] of labels.entries()) {
    for (const above of labels.slice(0, i)) {
      if (isBeside(label, above)) label.y = Math.max(label.y, above.y + lineGap);
    }
  }
  const below: Label[] = [];
  for (const label of [...labels].reverse()) {
    label.y = Math.min(label.y, height - bottom - 4);
    for (const other of below) if (isBeside(label, other)) label.y = Math.min(label.y, other.y - lineGap);
    below.push(label);
  }
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
