/**
 * The stores of keys of a database: how they are made and opened. Each is made of two trees; its format, and what its
 * values are, is kept in the second.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { VarveError } from '../errors.ts';
import type { TreeBatch } from '../lsm/batch.ts';
import type { Tree } from '../lsm/tree.ts';
import type { TreeOptions } from '../lsm/tree-options.ts';
import type { MemoryView } from '../memory/memory.ts';
import { seededRandom } from '../random.ts';
import { codecOf, type KvKeys, type KvValues, VALUES } from './codecs.ts';
import { KvCore } from './core.ts';
import { Directory } from './eviction.ts';
import { finishImport } from './import.ts';
import { type KvOptions, type ResolvedKvOptions, resolveKvOptions } from './kv-options.ts';
import { ANCHOR_KEY, CLOCK_KEY, clockTimes, FORMAT_KEY, foreign, storeName, treeNames } from './layout.ts';
import { KvStore } from './store.ts';
import { type KeptClock, StoreClock } from './store-clock.ts';
import { Sweeper } from './sweeper.ts';

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/;
const FORMAT = 1;
/** What the index by time has in memory until it is written to a table. */
const TIME_MEMTABLE_BYTES = 1024 * 1024;

/** Memory and time. */
export interface KvRuntime {
  readonly memory: MemoryView;
  readonly clock: Clock;
}

/** What stores need of their database. */
export interface KvHost {
  readonly readOnly: boolean;
  tree(name: string, options?: TreeOptions): Promise<Tree>;
  treeNames(): Promise<string[]>;
  batch(): TreeBatch;
}

/** What keys and values are, by the options that a store is asked for with. */
export type KeyOf<O> = O extends { keys: 'bytes' } ? Buffer : string;
export type ValueOf<O> = O extends { values: infer N }
  ? N extends 'json' | 'stored'
    ? unknown
    : N extends 'utf8'
      ? string
      : Buffer
  : Buffer;
/** What is taken as a value: where it is bytes, strings too. */
export type InputOf<O> = ValueOf<O> extends Buffer ? Uint8Array | string : ValueOf<O>;

/** One that is open. */
interface OpenStore {
  core: KvCore;
  sweeper: Sweeper | undefined;
  values: KvValues;
  options: ResolvedKvOptions;
}

export class KvStores {
  readonly #runtime: KvRuntime;
  readonly #host: KvHost;
  readonly #open: Map<string, Promise<OpenStore>> = new Map();
  readonly #sweepers: Set<Sweeper> = new Set();

  constructor(runtime: KvRuntime, host: KvHost) {
    this.#runtime = runtime;
    this.#host = host;
  }

  /** Opens a store, as `Database.kv` does. */
  async open<O extends KvOptions>(
    name: string,
    options: O,
  ): Promise<KvStore<KeyOf<O>, ValueOf<O>, InputOf<O>>> {
    const resolved = resolveKvOptions(options);
    checkName(name);
    let opening = this.#open.get(name);
    if (opening === undefined) {
      opening = this.#make(name, resolved);
      this.#open.set(name, opening);
      opening.catch(() => this.#open.delete(name));
    } else checkSame(name, options, resolved, (await opening).options);
    const { core, sweeper, values } = await opening;
    if (resolved.values !== 'stored' && resolved.values !== values)
      throw new TypeError(`the values of the store ${name} are ${values}, not ${resolved.values}`);
    const store = new KvStore({ name, core, sweeper, codec: codecOf(values), keyOf: keyOf(resolved.keys) });
    return store as unknown as KvStore<KeyOf<O>, ValueOf<O>, InputOf<O>>;
  }

  /** The names of the stores that there are, sorted. */
  async names(): Promise<string[]> {
    const names = (await this.#host.treeNames()).map(storeName);
    return names.filter((name) => name !== undefined).sort();
  }

  /** Ends what goes on in the background. */
  close(): void {
    for (const sweeper of this.#sweepers) sweeper.close();
  }

  async #make(name: string, options: ResolvedKvOptions): Promise<OpenStore> {
    const host = this.#host;
    const { readOnly } = host;
    const { clock: machineClock, memory } = this.#runtime;
    const names = treeNames(name);
    if (readOnly && !(await host.treeNames()).includes(names.data))
      throw new VarveError('NOT_FOUND', `there is no store ${name}`);
    // First the one that has the format: where there are values, there is a format.
    const time = await host.tree(names.time, readOnly ? {} : { memtableBytes: TIME_MEMTABLE_BYTES });
    const values = await openFormat(name, time, options.values, readOnly);
    const clock = new StoreClock(machineClock, readClock(time), {
      mark: (markMs) => time.put(CLOCK_KEY, clockTimes(markMs), { durability: 'synced' }),
      anchor: ({ storeMs, wallMs }) =>
        readOnly
          ? Promise.resolve()
          : time.put(ANCHOR_KEY, clockTimes(storeMs, wallMs), { durability: 'written' }),
    });
    const data = await host.tree(
      names.data,
      // What time it is, is for the store to say: its clock does not go back.
      readOnly ? {} : { ...options.tree, dropExpired: { kind: 'expiry', now: () => clock.now() } },
    );
    const core = new KvCore({
      data,
      time,
      batch: host.batch(),
      memory,
      clock,
      options,
      isReadOnly: readOnly,
      nextTurn: (callback) => machineClock.nextTurn(callback),
    });
    if (readOnly) return { core, sweeper: undefined, values, options };
    await clock.anchored();
    await finishImport(core);
    // From here on it is kept to.
    if (options.maxBytes !== undefined) core.directory = new Directory(seededRandom(machineClock.now()));
    core.fillDirectory();
    const sweeper = new Sweeper(core, machineClock);
    this.#sweepers.add(sweeper);
    return { core, sweeper, values, options };
  }
}

function checkName(name: unknown): void {
  if (typeof name !== 'string')
    throw new TypeError(`the name of a store must be a string, not ${typeof name}`);
  if (!NAME.test(name)) {
    throw new RangeError(
      `the name of a store has 1 to 100 letters, digits, dashes, underscores or dots, no dot first; not ${JSON.stringify(name)}`,
    );
  }
}

/** What the values of a store are; where it is new, that is written down. */
async function openFormat(
  name: string,
  time: Tree,
  asked: KvValues | 'stored',
  isReadOnly: boolean,
): Promise<KvValues> {
  const kept = time.getSync(FORMAT_KEY);
  if (kept !== undefined) return readFormat(name, kept);
  if (isReadOnly) throw new VarveError('NOT_FOUND', `there is no store ${name}`);
  const values = asked === 'stored' ? 'bytes' : asked;
  await time.put(FORMAT_KEY, JSON.stringify({ format: FORMAT, values }), { durability: 'synced' });
  return values;
}

function readFormat(name: string, kept: Buffer): KvValues {
  let said: { format?: unknown; values?: unknown };
  try {
    said = JSON.parse(kept.toString()) as typeof said;
  } catch {
    throw foreign('a format that is no JSON');
  }
  if (typeof said?.format === 'number' && said.format > FORMAT) {
    throw new VarveError(
      'VERSION',
      `the store ${name} has the format ${said.format}; this build knows ${FORMAT}`,
    );
  }
  const values = VALUES.find((known) => known === said?.values);
  if (said?.format !== FORMAT || values === undefined) throw foreign('a format that is none');
  return values;
}

function readClock(time: Tree): KeptClock {
  const mark = time.getSync(CLOCK_KEY);
  const anchor = time.getSync(ANCHOR_KEY);
  if ((mark !== undefined && mark.length !== 8) || (anchor !== undefined && anchor.length !== 16))
    throw foreign('a clock that is none');
  return {
    markMs: mark === undefined ? 0 : mark.readDoubleLE(0),
    anchor:
      anchor === undefined ? undefined : { storeMs: anchor.readDoubleLE(0), wallMs: anchor.readDoubleLE(8) },
  };
}

function keyOf(keys: KvKeys): (key: Buffer) => Buffer | string {
  return keys === 'bytes' ? (key) => key : (key) => key.toString();
}

/** @throws TypeError where an option is given that is not the one that the store was opened with */
function checkSame(
  name: string,
  given: KvOptions,
  resolved: ResolvedKvOptions,
  before: ResolvedKvOptions,
): void {
  for (const option of Object.keys(given) as (keyof KvOptions)[]) {
    if (option === 'values' || option === 'keys' || given[option] === undefined) continue;
    const field = option === 'sweepPercent' ? 'sweepShare' : option;
    if (JSON.stringify(resolved[field]) !== JSON.stringify(before[field]))
      throw new TypeError(`the store ${name} is open with another ${option}`);
  }
}
