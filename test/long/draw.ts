/**
 * Draws workloads from a seed: options of a log, and what is done with it.
 *
 * @module
 */

import type { LogOptions } from '../../src/log/options.ts';
import type { Durability, SyncPolicy } from '../../src/log/sync-policy.ts';
import type { Random } from '../kit/random.ts';
import type { Step } from './steps.ts';

const LEVELS: readonly Durability[] = ['accepted', 'written', 'synced'];

function drawPolicy(random: Random): SyncPolicy {
  switch (random.int(0, 4)) {
    case 0:
      return { mode: 'always' };
    case 1:
      return {
        mode: 'batch',
        maxRecords: random.int(1, 10),
        maxBytes: random.int(100, 10_000),
        maxDelayMs: random.int(1, 20),
      };
    case 2:
      return { mode: 'interval', intervalMs: random.int(1, 300) };
    case 3:
      return { mode: 'adaptive', maxDelayMs: random.int(1, 10) };
    default:
      return { mode: 'never' };
  }
}

/** Options with which much happens in little time. */
export function drawOptions(random: Random): LogOptions {
  return {
    sync: drawPolicy(random),
    segmentBytes: random.pick([4096, 4096, 6000, 20_000, 200_000]),
    rollMs: random.chance(0.2) ? random.int(10, 2000) : undefined,
    indexIntervalBytes: random.pick([1, 300, 1000, 4096]),
    batchBytes: random.pick([64, 300, 1000, 16_384]),
    bufferBytes: 64 * 1024,
    maxRecordBytes: 300_000,
    preallocate: random.chance(0.2),
    compression: random.chance(0.3) ? 'gzip' : 'none',
    digest: random.chance(0.3) ? random.pick(['crc32c', 'crc64', 'sha256'] as const) : 'none',
    retention: random.chance(0.2)
      ? { bytes: random.int(0, 30_000), ageMs: random.chance(0.5) ? random.int(0, 100_000) : undefined }
      : undefined,
  };
}

/** Lengths of values; few are larger than what is written on the calling thread. */
function drawSizes(random: Random, most: number): number[] {
  const most2 = random.int(1, most);
  return Array.from({ length: random.int(1, most2) }, () => {
    const kind = random.next();
    if (kind < 0.01) return random.int(60_000, 140_000);
    if (kind < 0.05) return random.int(2000, 9000);
    if (kind < 0.4) return random.int(200, 2000);
    return random.int(0, 200);
  });
}

function drawAppend(random: Random): Step {
  const wait = random.chance(0.5);
  const level = random.chance(0.3) ? random.pick(LEVELS) : undefined;
  const batches = (): number[][] => Array.from({ length: random.int(1, 3) }, () => drawSizes(random, 4));
  switch (random.int(0, 5)) {
    case 0:
      return { do: 'many', bytes: drawSizes(random, 12), level, wait };
    case 1:
      return { do: 'batches', bytes: batches(), level, wait };
    case 2:
      return { do: 'framed', bytes: batches(), wait };
    case 3:
      return { do: 'enqueue', bytes: drawSizes(random, 6) };
    default:
      return { do: 'append', bytes: drawSizes(random, 6), level, wait };
  }
}

function drawOther(random: Random): Step {
  const share = random.chance(0.3) ? random.pick([0, 0.5, 1]) : random.next();
  switch (random.int(0, 16)) {
    case 0:
      return { do: 'reopen' };
    case 1:
      return { do: 'truncate', share: random.chance(0.7) ? share / 2 : share };
    case 2:
      return { do: 'retain' };
    case 3:
      return { do: 'sync' };
    case 4:
    case 5:
      return { do: 'reach', level: random.pick(LEVELS) };
    case 6:
      return { do: 'pass', ms: random.chance(0.8) ? random.int(1, 50) : random.int(100, 100_000) };
    case 7:
    case 8:
      return { do: 'settle' };
    case 9:
      return { do: 'follow' };
    case 10:
    case 11:
      return { do: 'look' };
    case 12:
      return { do: 'verify' };
    case 13:
    case 14:
      return { do: 'get', share };
    default:
      return { do: 'read', share: random.chance(0.4) ? undefined : share };
  }
}

/** What is done with a log, step by step. */
export function drawSteps(random: Random, count: number): Step[] {
  return Array.from({ length: count }, () => (random.chance(0.55) ? drawAppend(random) : drawOther(random)));
}
