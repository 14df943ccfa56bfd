/**
 * How the command line writes numbers, sizes, times and durations for people. Machines get plain numbers
 * from `--json` instead.
 *
 * @module
 */

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
/** The largest time that a `Date` can hold, in milliseconds since the epoch. */
const DATE_MS_MAX = 8.64e15;

/** Three significant digits, without zeros that say nothing. */
function short(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value < 1) return String(Number(value.toPrecision(3)));
  return value >= 10 ? trimZeros(value.toFixed(1)) : trimZeros(value.toFixed(2));
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** A size in powers of 1024: `0 B`, `1.5 KiB`, `128 MiB`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return '-';
  let value = bytes;
  let unit = 0;
  // 1023.5 would be shown as 1024, which is one of the next unit.
  while (value >= (unit === 0 ? 1024 : 1023.5) && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value.toFixed(0) : short(value)} ${BYTE_UNITS[unit]}`;
}

/** A whole number with thousands separated: `1,234,567`. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return '-';
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 record`, `2,000 records`. */
export function plural(count: number, noun: string, many: string = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : many}`;
}

/** So many in so many milliseconds, as whole ones a second; `-` where no time has passed. */
export function formatRate(count: number, elapsedMs: number): string {
  if (!(elapsedMs > 0)) return '-';
  const rate = (count * 1000) / elapsedMs;
  return rate >= 100 || rate === 0 ? formatCount(rate) : short(rate);
}

/** So many bytes in so many milliseconds: `310 MiB/s`. */
export function formatByteRate(bytes: number, elapsedMs: number): string {
  return elapsedMs > 0 ? `${formatBytes((bytes * 1000) / elapsedMs)}/s` : '-';
}

/** A duration: `850 µs`, `12.3 ms`, `4.56 s`, `2 min 5 s`, `3 h 12 min`, `2 d 3 h`. */
export function formatDuration(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return '-';
  if (durationMs < 0) return `-${formatDuration(-durationMs)}`;
  if (durationMs === 0) return '0 s';
  if (durationMs < 0.9995) return `${short(durationMs * 1000)} µs`;
  if (durationMs < 999.5) return `${short(durationMs)} ms`;
  if (durationMs < 59_950) return `${short(durationMs / 1000)} s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 3600) return twoUnits(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return twoUnits(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return twoUnits(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  const first = `${formatCount(large)} ${largeUnit}`;
  return small === 0 ? first : `${first} ${small} ${smallUnit}`;
}

/** A share of 1 in percent: `0.18 %`, `45 %`. */
export function formatShare(share: number): string {
  return Number.isFinite(share) ? `${short(share * 100)} %` : '-';
}

/**
 * A timestamp as ISO-8601 in UTC, or undefined for one that is none: negative, as Kafka writes "no
 * timestamp", or beyond what a calendar date can be.
 */
export function isoTime(timestampMs: number): string | undefined {
  if (!(timestampMs >= 0 && timestampMs <= DATE_MS_MAX)) return undefined;
  return new Date(timestampMs).toISOString();
}

/** {@link isoTime} for people, who get `-` where there is no time. */
export function formatTime(timestampMs: number | undefined): string {
  return (timestampMs === undefined ? undefined : isoTime(timestampMs)) ?? '-';
}

/** A checksum, as eight hexadecimal digits. */
export function formatChecksum(crc: number): string {
  return (crc >>> 0).toString(16).padStart(8, '0');
}

/** Text from a file, made safe for a terminal: control characters are written as `\x1b`. */
export function printable(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
}

/** Control characters, and those that change the direction of what follows. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text of strangers as it is, but for what a terminal would make something else of, which is escaped.
 *
 * @param keepsLines whether line ends and tabs stay
 */
export function terminalText(text: string, keepsLines: boolean): string {
  return text.replace(UNPRINTABLE, (character) => {
    if (keepsLines && (character === '\n' || character === '\t')) return character;
    return ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
