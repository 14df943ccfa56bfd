/**
 * Values of options, as they are typed. Each function throws a `RangeError` that says what the value must
 * be; program.ts adds which option it is about.
 *
 * @module
 */

import { resolveSyncPolicy, type SyncPolicy } from '../log/sync-policy.ts';
import { parseDuration } from './time.ts';

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/** Reads a whole number that is not negative. */
export function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(count))
    throw new RangeError(`it must be a whole number, 0 or more, not "${text}"`);
  return count;
}

/** Reads a size: a number and perhaps a unit, in powers of 1024 (`64k`, `1MiB`, `1.5 GB`). */
export function parseBytes(text: string): number {
  const bytes = tryParseBytes(text);
  if (bytes === undefined) throw new RangeError(`it must be a size such as 64k, 200MiB or 1g, not "${text}"`);
  return bytes;
}

function tryParseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?$/i.exec(text);
  if (match === null) return undefined;
  const bytes = Math.round(Number(match[1]) * (BYTE_UNITS[(match[2] ?? '').toLowerCase()] ?? Number.NaN));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Makes a reader of lists, `1,16,256`, out of one of their items. */
export function parseList<T>(parseItem: (text: string) => T): (text: string) => T[] {
  return (text) => [...new Set(text.split(',').map((item) => parseItem(item.trim())))];
}

/** Reads a share: `1%`, `0.5 %`, or a number such as `0.01`; more than 0, and at most all. */
export function parseShare(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+) ?(%?)$/.exec(text.trim());
  const share = match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1);
  if (!(share > 0 && share <= 1))
    throw new RangeError(`it must be a share such as 1% or 0.01, not "${text}"`);
  return share;
}

export const SYNC_POLICY_FORMS =
  'always, batch[:RECORDS,BYTES,DELAY], interval[:PERIOD], adaptive[:DELAY] or never';

/**
 * Reads a sync policy: its name, and behind a colon what it is limited by. A bare number counts records, a
 * number with a unit of size or of time is one of those: `batch:1000,1MiB,10ms`, `interval:500ms`.
 */
export function parseSyncPolicy(text: string): SyncPolicy {
  const policy = tryParseSyncPolicy(text);
  if (policy === undefined) throw new RangeError(`it must be ${SYNC_POLICY_FORMS}, not "${text}"`);
  resolveSyncPolicy(policy);
  return policy;
}

function tryParseSyncPolicy(text: string): SyncPolicy | undefined {
  const [mode = '', ...rest] = text.split(':');
  const limits = rest.length === 0 ? [] : rest.join(':').split(',');
  switch (mode) {
    case 'always':
    case 'never':
      return limits.length === 0 ? { mode } : undefined;
    case 'interval': {
      const intervalMs = limits.length > 1 ? undefined : parseDuration(limits[0] ?? '');
      if (limits.length === 0) return { mode };
      return intervalMs === undefined ? undefined : { mode, intervalMs };
    }
    case 'adaptive': {
      const maxDelayMs = limits.length > 1 ? undefined : parseDuration(limits[0] ?? '');
      if (limits.length === 0) return { mode };
      return maxDelayMs === undefined ? undefined : { mode, maxDelayMs };
    }
    case 'batch':
      return parseBatchPolicy(limits);
    default:
      return undefined;
  }
}

function parseBatchPolicy(limits: readonly string[]): SyncPolicy | undefined {
  const policy: SyncPolicy & { mode: 'batch' } = { mode: 'batch' };
  for (const limit of limits) {
    const durationMs = parseDuration(limit);
    const bytes = tryParseBytes(limit);
    if (/^\d+$/.test(limit)) policy.maxRecords = Number(limit);
    else if (durationMs !== undefined) policy.maxDelayMs = durationMs;
    else if (bytes !== undefined) policy.maxBytes = bytes;
    else return undefined;
  }
  return policy;
}
