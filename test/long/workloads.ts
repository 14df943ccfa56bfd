/**
 * The workloads that are swept: each goes through one part of the engine, in as few calls to the disk as that
 * takes.
 *
 * @module
 */

import type { LogOptions } from '../../src/log/options.ts';
import type { Step } from './steps.ts';

export interface Workload {
  name: string;
  options: LogOptions;
  steps: readonly Step[];
}

/** The smallest segments, small batches and many index entries: much happens in little time. */
const SMALL: LogOptions = {
  segmentBytes: 4096,
  batchBytes: 512,
  bufferBytes: 64 * 1024,
  indexIntervalBytes: 700,
};

/** Grows over several segments, is read, loses its beginning, and is opened again. */
const LIFE: readonly Step[] = [
  { do: 'append', bytes: [0, 100, 300], wait: true },
  { do: 'append', bytes: [700, 10, 900], wait: true },
  { do: 'many', bytes: [200, 200, 1500, 3], wait: true },
  { do: 'enqueue', bytes: [50, 60, 1200] },
  { do: 'append', bytes: [800], level: 'synced', wait: true },
  { do: 'read' },
  { do: 'get', share: 0.4 },
  { do: 'append', bytes: [2500, 20, 2500], wait: true },
  { do: 'pass', ms: 30 },
  { do: 'truncate', share: 0.6 },
  { do: 'append', bytes: [400, 1400], wait: true },
  { do: 'reopen' },
  { do: 'append', bytes: [5], wait: true },
  { do: 'append', bytes: [1800, 1900, 30] },
  { do: 'pass', ms: 100 },
  { do: 'read', share: 0.5 },
];

/** Records and groups that are larger than what is written on the calling thread. */
const LARGE: readonly Step[] = [
  { do: 'append', bytes: [70_000], wait: true },
  { do: 'append', bytes: [100, 66_000, 100], wait: true },
  { do: 'many', bytes: [30_000, 30_000, 30_000], level: 'synced', wait: true },
  { do: 'read' },
];

/** Batches that others have framed, from outside and from the shared memory, several on their way at once. */
const FRAMED: readonly Step[] = [
  { do: 'batches', bytes: [[10, 20], [300]], wait: true },
  { do: 'framed', bytes: [[900], [40, 50, 60]] },
  { do: 'append', bytes: [77] },
  { do: 'framed', bytes: [[1500, 1500], [20]] },
  { do: 'batches', bytes: [[2000]], level: 'synced' },
  { do: 'settle' },
  { do: 'sync' },
  { do: 'framed', bytes: [[3000], [100]], wait: true },
  { do: 'read' },
];

/** Retention removes segments while others are written. */
const RETAINED: readonly Step[] = [
  { do: 'append', bytes: [1800, 1800, 1800], wait: true },
  { do: 'append', bytes: [1800, 1800, 1800], wait: true },
  { do: 'append', bytes: [1800, 1800, 1800], wait: true },
  { do: 'retain' },
  { do: 'append', bytes: [1800, 100], wait: true },
  { do: 'pass', ms: 700_000 },
  { do: 'append', bytes: [10], wait: true },
  { do: 'truncate', share: 1 },
  { do: 'append', bytes: [20, 1900, 1900, 1900], wait: true },
  { do: 'reopen' },
  { do: 'retain' },
  { do: 'append', bytes: [30], wait: true },
];

/** Small batches, that become large ones when their segment is sealed; so it becomes smaller, whatever is in it. */
const SMALL_BATCHES: readonly (readonly number[])[] = Array.from({ length: 16 }, (_, i) => [40 + i, 20]);

/** Sealed segments are compressed: by themselves, and when somebody asks for it. */
const SEALED: readonly Step[] = [
  { do: 'batches', bytes: SMALL_BATCHES, wait: true },
  { do: 'batches', bytes: SMALL_BATCHES, wait: true },
  { do: 'append', bytes: [900], wait: true },
  { do: 'recompress' },
  { do: 'read' },
  { do: 'truncate', share: 0.3 },
  { do: 'batches', bytes: SMALL_BATCHES, level: 'synced', wait: true },
  { do: 'reopen' },
  { do: 'recompress' },
  { do: 'get', share: 0.3 },
];

/** Records that nobody waits for, others that may get their offsets when they are lost, and a question. */
const ENQUEUED: readonly Step[] = [
  { do: 'append', bytes: [10], wait: true },
  { do: 'enqueue', bytes: [40, 50] },
  { do: 'pass', ms: 30 },
  { do: 'append', bytes: [60], wait: true },
  { do: 'append', bytes: [70], wait: true },
  { do: 'append', bytes: [80, 90], level: 'accepted' },
  { do: 'pass', ms: 30 },
  { do: 'enqueue', bytes: [1500, 1500, 1500] },
  { do: 'append', bytes: [20, 30, 5], wait: true },
  { do: 'reach', level: 'written' },
  { do: 'enqueue', bytes: [100] },
  { do: 'reach', level: 'synced' },
];

export const WORKLOADS: readonly Workload[] = [
  { name: 'always', options: { ...SMALL, sync: { mode: 'always' } }, steps: LIFE },
  {
    name: 'batch',
    options: { ...SMALL, sync: { mode: 'batch', maxRecords: 4, maxDelayMs: 5 } },
    steps: LIFE,
  },
  { name: 'adaptive', options: { ...SMALL, sync: { mode: 'adaptive', maxDelayMs: 5 } }, steps: LIFE },
  { name: 'interval', options: { ...SMALL, sync: { mode: 'interval', intervalMs: 20 } }, steps: LIFE },
  { name: 'never', options: { ...SMALL, sync: { mode: 'never' } }, steps: LIFE },
  {
    name: 'always, preallocated',
    options: { ...SMALL, sync: { mode: 'always' }, preallocate: true },
    steps: LIFE,
  },
  {
    name: 'never, preallocated',
    options: { ...SMALL, sync: { mode: 'never' }, preallocate: true },
    steps: LIFE,
  },
  {
    name: 'retained by size, compressed, with digests',
    options: {
      ...SMALL,
      sync: { mode: 'never' },
      compression: 'gzip',
      digest: 'crc64',
      retention: { bytes: 6000 },
    },
    steps: RETAINED,
  },
  {
    name: 'compressed when sealed, with digests',
    options: {
      ...SMALL,
      sync: { mode: 'never' },
      compression: { codec: 'gzip', when: 'seal' },
      digest: 'crc32c',
    },
    steps: SEALED,
  },
  { name: 'enqueued, always', options: { ...SMALL, sync: { mode: 'always' } }, steps: ENQUEUED },
  { name: 'enqueued, never', options: { ...SMALL, sync: { mode: 'never' } }, steps: ENQUEUED },
  { name: 'large, always', options: { ...SMALL, sync: { mode: 'always' } }, steps: LARGE },
  {
    name: 'large, interval',
    options: { ...SMALL, segmentBytes: 1 << 20, sync: { mode: 'interval', intervalMs: 20 } },
    steps: LARGE,
  },
  { name: 'framed, always', options: { ...SMALL, sync: { mode: 'always' } }, steps: FRAMED },
  { name: 'framed, never', options: { ...SMALL, sync: { mode: 'never' } }, steps: FRAMED },
  {
    name: 'retained by size',
    options: { ...SMALL, sync: { mode: 'always' }, retention: { bytes: 6000 } },
    steps: RETAINED,
  },
  {
    name: 'retained by age',
    options: { ...SMALL, sync: { mode: 'never' }, retention: { ageMs: 600_000 } },
    steps: RETAINED,
  },
];
