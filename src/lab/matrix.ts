/**
 * What the laboratory measures: every strategy with every size of record under every load, and beside them
 * the bare disk, which is the limit.
 *
 * @module
 */

import { ownLevel, resolveSyncPolicy, type SyncPolicy } from '../log/sync-policy.ts';

/** What is written to: a log, or one of the stores that lie on a tree, whose write-ahead log then has the policy. */
export type Store = 'log' | 'tree' | 'kv' | 'events';

export const STORES: readonly Store[] = ['log', 'tree', 'kv', 'events'];

/** A way to make records durable: a sync policy and how the log writes. */
export interface PolicyStrategy {
  readonly kind: 'policy';
  /** What tables and charts call it; one of its own in a run. */
  readonly id: string;
  readonly store: Store;
  readonly sync: SyncPolicy;
  /** Segments are filled with zeros ahead of their use. */
  readonly preallocate: boolean;
  /** Files are opened with O_DSYNC: every write is durable when it returns, and small ones hold the thread up meanwhile. */
  readonly dsync: boolean;
}

/** The disk without a log: as many bytes as all clients together send, in one write. */
export interface BareStrategy {
  readonly kind: 'bare';
  readonly id: string;
  /** Whether each write is followed by fdatasync. */
  readonly isSynced: boolean;
}

export type Strategy = PolicyStrategy | BareStrategy;

/** What the callers do. */
export type Load =
  /** Each of so many clients sends its next record when the last one was acknowledged. */
  | { readonly kind: 'closed'; readonly clients: number }
  /** Records arrive at random moments, whether those before are acknowledged or not. */
  | { readonly kind: 'open'; readonly ratePerSecond: number };

/** One row of the result. */
export interface Cell {
  readonly strategy: Strategy;
  readonly recordBytes: number;
  readonly load: Load;
}

/** What can be typed behind a policy. */
const SUFFIXES = { poll: '+poll', preallocate: '+preallocate', dsync: '+O_DSYNC' };

/** For how long a policy with `+poll` keeps the event loop turning. */
const POLL_MS = 1;

/** Policies of a log, from the most careful to the least. */
const LOG_STRATEGIES: readonly PolicyStrategy[] = [
  policyStrategy({ mode: 'always' }),
  policyStrategy({ mode: 'always', busyPollMs: POLL_MS }),
  policyStrategy({ mode: 'always' }, { preallocate: true }),
  policyStrategy({ mode: 'always' }, { dsync: true }),
  policyStrategy({ mode: 'adaptive' }),
  policyStrategy({ mode: 'batch', maxDelayMs: 1 }),
  policyStrategy({ mode: 'batch', maxDelayMs: 10 }),
  policyStrategy({ mode: 'batch', maxRecords: 64, maxDelayMs: 10 }),
  policyStrategy({ mode: 'interval', intervalMs: 10 }),
  policyStrategy({ mode: 'interval', intervalMs: 50 }),
  policyStrategy({ mode: 'interval', intervalMs: 200 }),
  policyStrategy({ mode: 'never' }),
];

/** Policies of a write-ahead log: it is the same log, so that a few tell how much a store adds. */
const WAL_POLICIES: readonly SyncPolicy[] = [
  { mode: 'always' },
  { mode: 'interval', intervalMs: 50 },
  { mode: 'never' },
];

/** What is measured of a store where no policies are named. */
export function defaultStrategies(store: Store): readonly PolicyStrategy[] {
  return store === 'log' ? LOG_STRATEGIES : WAL_POLICIES.map((sync) => policyStrategy(sync, { store }));
}

export const BARE_SYNCED: BareStrategy = { kind: 'bare', id: 'disk: write + fdatasync', isSynced: true };
export const BARE_WRITTEN: BareStrategy = { kind: 'bare', id: 'disk: write', isSynced: false };

/** What a strategy has besides its policy. */
export type StrategyOptions = Partial<Pick<PolicyStrategy, 'store' | 'preallocate' | 'dsync'>>;

/**
 * A strategy, with the name that follows from what it is.
 *
 * @throws RangeError where there is no such thing
 */
export function policyStrategy(
  sync: SyncPolicy,
  { store = 'log', preallocate = false, dsync = false }: StrategyOptions = {},
): PolicyStrategy {
  if (store !== 'log' && preallocate) throw new RangeError('a write-ahead log is not preallocated');
  const isPolling = 'busyPollMs' in sync && sync.busyPollMs !== undefined && sync.busyPollMs > 0;
  const id = [
    store === 'log' ? '' : `${store} `,
    policyName(sync),
    isPolling ? SUFFIXES.poll : '',
    preallocate ? SUFFIXES.preallocate : '',
    dsync ? SUFFIXES.dsync : '',
  ].join('');
  return { kind: 'policy', id, store, sync, preallocate, dsync };
}

/**
 * A strategy of the log as it is typed on the command line: a policy, and what is put on behind it.
 *
 * @param parsePolicy reads the policy
 * @throws RangeError where it is none
 */
export function parseStrategy(text: string, parsePolicy: (text: string) => SyncPolicy): PolicyStrategy {
  let rest = text.trim();
  const given = new Set<string>();
  for (;;) {
    const suffix = Object.values(SUFFIXES).find((one) => rest.toLowerCase().endsWith(one.toLowerCase()));
    if (suffix === undefined) break;
    given.add(suffix);
    rest = rest.slice(0, -suffix.length).trimEnd();
  }
  const sync = parsePolicy(rest);
  const preallocate = given.has(SUFFIXES.preallocate);
  const dsync = given.has(SUFFIXES.dsync);
  if (!given.has(SUFFIXES.poll)) return policyStrategy(sync, { preallocate, dsync });
  if (sync.mode !== 'always' && sync.mode !== 'adaptive')
    throw new RangeError(`${SUFFIXES.poll} is for always and adaptive, which wait for each sync`);
  return policyStrategy({ ...sync, busyPollMs: POLL_MS }, { preallocate, dsync });
}

/** A policy as it is typed on the command line. */
export function policyName(sync: SyncPolicy): string {
  switch (sync.mode) {
    case 'always':
    case 'never':
      return sync.mode;
    case 'interval':
      return named(sync.mode, [inMs(sync.intervalMs)]);
    case 'adaptive':
      return named(sync.mode, [inMs(sync.maxDelayMs)]);
    case 'batch': {
      const bytes = sync.maxBytes === undefined ? undefined : `${sync.maxBytes}B`;
      return named(sync.mode, [sync.maxRecords?.toString(), bytes, inMs(sync.maxDelayMs)]);
    }
  }
}

function inMs(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : `${ms}ms`;
}

function named(mode: string, limits: readonly (string | undefined)[]): string {
  const given = limits.filter((limit) => limit !== undefined);
  return given.length === 0 ? mode : `${mode}:${given.join(',')}`;
}

export interface MatrixOptions {
  readonly strategies: readonly PolicyStrategy[];
  readonly recordBytes: readonly number[];
  readonly clients: readonly number[];
  /** Records a second that arrive, whether those before are acknowledged or not. */
  readonly rates: readonly number[];
}

/**
 * Lays out the matrix. The open loads are run with the first size of record only: what they show, how long
 * records wait at a rate that does not give way, hardly depends on it.
 */
export function layOut({ strategies, recordBytes, clients, rates }: MatrixOptions): Cell[] {
  const cells: Cell[] = [];
  for (const bytes of recordBytes) {
    for (const count of clients) {
      const load: Load = { kind: 'closed', clients: count };
      for (const strategy of [BARE_SYNCED, BARE_WRITTEN, ...strategies]) {
        cells.push({ strategy, recordBytes: bytes, load });
      }
    }
  }
  const [firstBytes] = recordBytes;
  for (const ratePerSecond of firstBytes === undefined ? [] : rates) {
    const load: Load = { kind: 'open', ratePerSecond };
    for (const strategy of strategies) cells.push({ strategy, recordBytes: firstBytes as number, load });
  }
  return cells;
}

/** What an acknowledgement means with a strategy. */
export function levelOf(strategy: Strategy): 'written' | 'synced' {
  if (strategy.kind === 'bare') return strategy.isSynced ? 'synced' : 'written';
  return strategy.dsync ? 'synced' : ownLevel(resolveSyncPolicy(strategy.sync));
}

/** How much acknowledged data a power cut can take by the policy's promise: milliseconds of it, at most. */
export function promisedLossMs(strategy: Strategy): number {
  if (levelOf(strategy) === 'synced') return 0;
  if (strategy.kind === 'bare') return Number.POSITIVE_INFINITY;
  const policy = resolveSyncPolicy(strategy.sync);
  return policy.mode === 'interval' ? policy.intervalMs : Number.POSITIVE_INFINITY;
}

/** The same strategy, record size and load, in two results. */
export function cellKey({ strategy, recordBytes, load }: Cell): string {
  return `${strategy.id} | ${recordBytes} B | ${loadName(load)}`;
}

export function loadName(load: Load): string {
  if (load.kind === 'open') return `${load.ratePerSecond}/s`;
  return load.clients === 1 ? '1 client' : `${load.clients} clients`;
}
