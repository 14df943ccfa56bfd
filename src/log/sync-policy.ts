/**
 * When to call fdatasync: a pure decision over what is written and waiting. The writer carries it out.
 *
 * @module
 */

import {
  SYNC_ADAPTIVE_DELAY_MS_DEFAULT,
  SYNC_BATCH_BYTES_DEFAULT,
  SYNC_BATCH_DELAY_MS_DEFAULT,
  SYNC_BATCH_RECORDS_DEFAULT,
  SYNC_INTERVAL_MS_DEFAULT,
} from '../limits.ts';
import { checkOneOf, checkOptions, integerOption } from '../options.ts';

/** How safe a record is: in memory, given to the operating system, or durable. */
export type Durability = 'accepted' | 'written' | 'synced';

export const LEVELS = ['accepted', 'written', 'synced'] as const;

export interface AppendOptions {
  /** What the promise waits for; the log's own level unless given. */
  durability?: Durability;
}

/**
 * The level that an append waits for.
 *
 * @throws TypeError where an option is wrong
 */
export function resolveLevel(options: AppendOptions | undefined, isOwnLevelSynced: boolean): Durability {
  const own = isOwnLevelSynced ? 'synced' : 'written';
  if (options === undefined) return own;
  checkOptions('append options', options, ['durability']);
  return options.durability === undefined ? own : checkOneOf('durability', options.durability, LEVELS);
}

/** How far the log is at each level: offsets below the number have reached it. */
export interface DurableState {
  accepted: number;
  written: number;
  synced: number;
  /** Bytes that a power cut could take now. */
  bytesAtRisk: number;
}

/** When a log calls fdatasync. */
export type SyncPolicy =
  /** After every write. For `busyPollMs` see below. */
  | { mode: 'always'; busyPollMs?: number }
  /** When any limit is met; appends resolve when synced. */
  | { mode: 'batch'; maxRecords?: number; maxBytes?: number; maxDelayMs?: number }
  /** Every `intervalMs`; appends resolve when written. */
  | { mode: 'interval'; intervalMs?: number }
  /**
   * After every write, which waits a little where waiting was measured to pay.
   *
   * `busyPollMs`: for how long the event loop is kept from going to sleep while an fdatasync is under way, as long as
   * the last one took no longer; 0 (never) unless given. Appends are acknowledged sooner, at the price of processor time.
   */
  | { mode: 'adaptive'; maxDelayMs?: number; busyPollMs?: number }
  /** The operating system decides; appends resolve when written. */
  | { mode: 'never' };

/** A policy with nothing left open. */
export type ResolvedSyncPolicy =
  | { mode: 'always'; busyPollMs: number }
  | { mode: 'batch'; maxRecords: number; maxBytes: number; maxDelayMs: number }
  | { mode: 'interval'; intervalMs: number }
  | { mode: 'adaptive'; maxDelayMs: number; busyPollMs: number }
  | { mode: 'never' };

const MODES = ['always', 'batch', 'interval', 'adaptive', 'never'] as const;
const DELAY_MS_MAX = 60_000;
const INTERVAL_MS_MAX = 86_400_000;
const BUSY_POLL_MS_MAX = 100;

/**
 * Fills in the defaults of a policy.
 *
 * @throws TypeError, RangeError where it is none
 */
export function resolveSyncPolicy(policy: SyncPolicy = { mode: 'always' }): ResolvedSyncPolicy {
  checkOptions('sync', policy, ['mode', 'maxRecords', 'maxBytes', 'maxDelayMs', 'intervalMs', 'busyPollMs']);
  checkOneOf('sync.mode', policy.mode, MODES);
  switch (policy.mode) {
    case 'always':
      checkOptions('sync (always)', policy, ['mode', 'busyPollMs']);
      return { mode: 'always', busyPollMs: busyPollMsOf(policy.busyPollMs) };
    case 'never':
      checkOptions('sync (never)', policy, ['mode']);
      return { mode: 'never' };
    case 'interval':
      checkOptions('sync (interval)', policy, ['mode', 'intervalMs']);
      return {
        mode: 'interval',
        intervalMs: integerOption(
          'sync.intervalMs',
          policy.intervalMs,
          SYNC_INTERVAL_MS_DEFAULT,
          1,
          INTERVAL_MS_MAX,
        ),
      };
    case 'adaptive':
      checkOptions('sync (adaptive)', policy, ['mode', 'maxDelayMs', 'busyPollMs']);
      return {
        mode: 'adaptive',
        maxDelayMs: integerOption(
          'sync.maxDelayMs',
          policy.maxDelayMs,
          SYNC_ADAPTIVE_DELAY_MS_DEFAULT,
          1,
          DELAY_MS_MAX,
        ),
        busyPollMs: busyPollMsOf(policy.busyPollMs),
      };
    case 'batch':
      checkOptions('sync (batch)', policy, ['mode', 'maxRecords', 'maxBytes', 'maxDelayMs']);
      return {
        mode: 'batch',
        maxRecords: integerOption('sync.maxRecords', policy.maxRecords, SYNC_BATCH_RECORDS_DEFAULT, 1),
        maxBytes: integerOption('sync.maxBytes', policy.maxBytes, SYNC_BATCH_BYTES_DEFAULT, 1),
        maxDelayMs: integerOption(
          'sync.maxDelayMs',
          policy.maxDelayMs,
          SYNC_BATCH_DELAY_MS_DEFAULT,
          1,
          DELAY_MS_MAX,
        ),
      };
  }
}

function busyPollMsOf(given: number | undefined): number {
  return integerOption('sync.busyPollMs', given, 0, 0, BUSY_POLL_MS_MAX);
}

/** The level at which a log with this policy resolves its appends. */
export function ownLevel(policy: ResolvedSyncPolicy): 'written' | 'synced' {
  return policy.mode === 'interval' || policy.mode === 'never' ? 'written' : 'synced';
}

/** Whether a flush is a write and its fdatasync, one after the other. */
export function syncsEachWrite(policy: ResolvedSyncPolicy): boolean {
  return policy.mode === 'always' || policy.mode === 'adaptive';
}

/** What is written but not synced. */
export interface UnsyncedState {
  records: number;
  bytes: number;
  /** When the oldest of it was written (monotonic). */
  sinceMs: number;
  /** Somebody waits for more than the policy promises. */
  isDemanded: boolean;
}

/**
 * Decides how long fdatasync may wait.
 *
 * @param nowMs monotonic
 * @returns milliseconds from now (0: at once), or Infinity where nothing asks for it
 */
export function syncDelayMs(policy: ResolvedSyncPolicy, unsynced: UnsyncedState, nowMs: number): number {
  if (unsynced.isDemanded) return 0;
  if (unsynced.records === 0) return Infinity;
  switch (policy.mode) {
    case 'always':
    case 'adaptive':
      return 0;
    case 'batch':
      if (unsynced.records >= policy.maxRecords || unsynced.bytes >= policy.maxBytes) return 0;
      return Math.max(0, unsynced.sinceMs + policy.maxDelayMs - nowMs);
    case 'interval':
      return Math.max(0, unsynced.sinceMs + policy.intervalMs - nowMs);
    case 'never':
      return Infinity;
  }
}
