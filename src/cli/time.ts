/**
 * Times and durations as they are typed on a command line.
 *
 * A time is one of
 * - ISO-8601, whole or cut short: `2008-11-09`, `2008-11-09T20:36`, `2008-11-09 20:36:15.250+01:00`. One
 *   without a zone is UTC, because that is how every time is printed;
 * - a whole number: milliseconds since the epoch;
 * - `now`, or a distance from now: `-15m`, `-1h30m`, `+2d`.
 *
 * @module
 */

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const ISO =
  /^(\d{4})-(\d{2})(?:-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)? ?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

const TIME_FORMS =
  'a time such as 2008-11-09T20:36:15Z, a distance from now such as -15m, or epoch milliseconds';

/**
 * Reads a duration: a number and a unit (ms, s, m or min, h, d, w), several of them added up.
 *
 * @returns milliseconds, or undefined where `text` is no duration
 */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|min|[smhdw]))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|min|[smhdw])/g)) {
    totalMs += Number(amount) * (UNITS_MS[unit ?? ''] ?? Number.NaN);
  }
  return Number.isFinite(totalMs) ? totalMs : undefined;
}

/**
 * Reads a time.
 *
 * @param text what was typed
 * @param nowMs what `now` is, in milliseconds since the epoch
 * @returns milliseconds since the epoch
 * @throws RangeError where `text` is no time, or one that no calendar has
 */
export function parseTime(text: string, nowMs: number): number {
  const trimmed = text.trim();
  if (trimmed === 'now') return nowMs;
  if (/^\d+$/.test(trimmed)) {
    const timestamp = Number(trimmed);
    if (Number.isSafeInteger(timestamp)) return timestamp;
  }
  const distance = /^([+-])(.+)$/.exec(trimmed);
  const distanceMs = distance === null ? undefined : parseDuration(distance[2] ?? '');
  if (distanceMs !== undefined) return Math.round(nowMs + (distance?.[1] === '-' ? -distanceMs : distanceMs));
  const parts = ISO.exec(trimmed);
  const timestamp = parts === null ? undefined : fromIsoParts(parts);
  if (timestamp === undefined) throw new RangeError(`"${text}" is not ${TIME_FORMS}`);
  return timestamp;
}

/** A calendar that has no 30 February is asked by going there and looking where one has arrived. */
function fromIsoParts(parts: RegExpExecArray): number | undefined {
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((part, index) => {
    return part === undefined ? (index === 2 ? 1 : 0) : Number(part);
  }) as [number, number, number, number, number, number];
  const fractionMs = Math.floor(Number(`0.${parts[7] ?? '0'}`) * 1000 + 1e-6);
  // A leap second is the first moment of the next minute: epoch time has no other place for it.
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const zoneMs = zoneOffsetMs(parts[8]);
  if (zoneMs === undefined) return undefined;
  return date.getTime() + hour * 3_600_000 + minute * 60_000 + second * 1000 + fractionMs - zoneMs;
}

function zoneOffsetMs(zone: string | undefined): number | undefined {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 23 || minutes > 59) return undefined;
  const offsetMs = hours * 3_600_000 + minutes * 60_000;
  return zone.startsWith('-') ? -offsetMs : offsetMs;
}
