/**
 * `varve kv`: one action on a store of keys.
 *
 * @module
 */

import { isUtf8 } from 'node:buffer';
import type { KvStore } from '../kv/store.ts';
import { open } from '../open.ts';
import type { Context, ExitCode } from './context.ts';
import { UsageError } from './failure.ts';
import { writeLines } from './files.ts';
import { formatBytes, formatCount, formatDuration, terminalText } from './format.ts';
import { inputLines } from './input-lines.ts';
import type { KvAction, KvCommandOptions } from './kv-actions.ts';
import { renderFacts, TableWriter } from './table.ts';

type Store = KvStore<Buffer, unknown, unknown>;

interface Call {
  store: Store;
  args: readonly string[];
  options: KvCommandOptions;
  context: Context;
}

/** What an action is given: at least, and at most so many arguments. */
interface Action {
  readonly args: readonly [number, number];
  readonly writes?: boolean;
  run(call: Call): Promise<ExitCode>;
}

const ROWS_AT_A_TIME = 200;
const VALUE_CHARACTERS = 60;

const ACTIONS: Record<KvAction, Action> = {
  set: { args: [2, 2], writes: true, run: set },
  get: { args: [1, 1], run: get },
  delete: { args: [1, Infinity], writes: true, run: remove },
  has: { args: [1, 1], run: async ({ store, args: [key] }) => ((await store.has(key as string)) ? 0 : 1) },
  ttl: { args: [1, 1], run: ttl },
  persist: { args: [1, 1], writes: true, run: persist },
  increment: { args: [1, 2], writes: true, run: increment },
  store: { args: [0, 0], run: list },
  scan: { args: [1, 1], run: list },
  clear: { args: [0, 1], writes: true, run: clear },
  stats: { args: [0, 0], run: stats },
  export: { args: [0, 1], run: exportAll },
  import: { args: [1, 1], writes: true, run: importAll },
};

/**
 * Does one thing with a store.
 *
 * @throws UsageError where the arguments are wrong; VarveError as `open` and `Database.kv`
 */
export async function kv(
  directory: string,
  name: KvAction,
  args: readonly string[],
  options: KvCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const action = ACTIONS[name];
  const [least, most] = action.args;
  if (args.length < least) throw new UsageError(`${name} needs ${least} argument${least === 1 ? '' : 's'}`);
  if (args.length > most)
    throw new UsageError(`${name} has at most ${most} argument${most === 1 ? '' : 's'}`);
  const writes = action.writes === true;
  const makes = name === 'set' || name === 'import' || name === 'increment';
  const database = await open(directory, writes ? { create: makes } : { readOnly: true });
  try {
    const isNew = writes && !(await database.kvNames()).includes(options.store);
    if (isNew && !makes) throw new UsageError(`there is no store ${options.store} in ${directory}`);
    const values = isNew ? (options.values ?? 'utf8') : 'stored';
    const store = await database.kv(options.store, { values, keys: 'bytes' });
    if (options.values !== undefined && options.values !== store.values)
      throw new UsageError(
        `the values of the store ${store.name} are ${store.values}, not ${options.values}`,
      );
    return await action.run({ store, args, options, context });
  } finally {
    await database.close();
  }
}

async function set({ store, args, options, context }: Call): Promise<ExitCode> {
  const [key, text] = args as [string, string];
  const { ttl: ttlMs, ifAbsent, ifPresent } = options;
  const version = await store.set(key, valueOf(store, text), {
    ttlMs,
    ifAbsent,
    ifPresent,
    durability: 'synced',
  });
  if (version === undefined) context.note(`${key} is ${ifAbsent === true ? 'there already' : 'not there'}`);
  else if (options.json === true) context.stdout.json({ key, version });
  return version === undefined ? 1 : 0;
}

/** What was typed, as a value of the store. */
function valueOf(store: Store, text: string): unknown {
  if (store.values !== 'json') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new UsageError(`the values of the store ${store.name} are JSON, and ${text} is none`, { cause });
  }
}

async function get({ store, args, options, context }: Call): Promise<ExitCode> {
  const [key] = args as [string];
  const entry = await store.getEntry(key);
  if (entry === undefined) return missing(key, context);
  const { value, version, expiresAt } = entry;
  if (options.json === true) context.stdout.json({ key, ...valueField(value), version, expiresAt });
  else context.stdout.line(value instanceof Uint8Array ? value : textOf(value));
  return 0;
}

function missing(key: string, context: Context): ExitCode {
  context.note(`there is no key ${key}`);
  return 1;
}

/** A value as the lines of an export have it. */
function valueField(value: unknown): { value: unknown } | { valueBase64: string } {
  return Buffer.isBuffer(value) ? { valueBase64: value.toString('base64') } : { value };
}

function textOf(value: unknown): string {
  return typeof value === 'string'
    ? value
    : Buffer.isBuffer(value)
      ? value.toString()
      : JSON.stringify(value);
}

async function remove({ store, args, options, context }: Call): Promise<ExitCode> {
  const deleted = await store.deleteMany(args, { durability: 'synced' });
  if (options.json === true) context.stdout.json({ deleted });
  else context.stdout.line(String(deleted));
  return deleted > 0 ? 0 : 1;
}

async function ttl({ store, args, options, context }: Call): Promise<ExitCode> {
  const [key] = args as [string];
  const ttlMs = await store.ttl(key);
  if (ttlMs === undefined) return missing(key, context);
  if (options.json === true) context.stdout.json({ key, ttlMs: Number.isFinite(ttlMs) ? ttlMs : null });
  else context.stdout.line(secondsOf(ttlMs));
  return 0;
}

function secondsOf(ttlMs: number): string {
  return Number.isFinite(ttlMs) ? String(Math.ceil(ttlMs / 1000)) : 'never';
}

async function persist({ store, args, context }: Call): Promise<ExitCode> {
  const [key] = args as [string];
  return (await store.persist(key, { durability: 'synced' })) ? 0 : missing(key, context);
}

async function increment({ store, args, options, context }: Call): Promise<ExitCode> {
  const [key, by = '1'] = args as [string, string?];
  if (!/^-?\d+$/.test(by)) throw new UsageError(`${by} is no whole number`);
  const sum = await store.increment(key, Number(by), { ttlMs: options.ttl, durability: 'synced' });
  if (options.json === true) context.stdout.json({ key, value: sum });
  else context.stdout.line(String(sum));
  return 0;
}

async function list(call: Call): Promise<ExitCode> {
  const { store, args, options, context } = call;
  const { stdout, colours } = context;
  const [prefix] = args;
  const range = {
    ...(prefix === undefined ? {} : { prefix }),
    ...(options.limit === undefined ? {} : { limit: options.limit }),
  };
  if (options.json === true) return await printLines(store.exportLines(range), context);
  const table = new TableWriter(
    [{ title: 'key' }, { title: 'expires in', align: 'right' }, { title: 'value' }],
    colours.bold,
  );
  let rows: string[][] = [];
  const flush = async (): Promise<void> => {
    stdout.write(table.block(rows));
    rows = [];
    if (stdout.full) await stdout.flush();
  };
  for (const [key, value, expiresAt] of store.entriesWithExpiry(range)) {
    context.signal.throwIfAborted();
    const ttlMs = expiresAt === undefined ? undefined : expiresAt - context.clock.now();
    rows.push([
      printed(key),
      ttlMs === undefined ? 'never' : `${secondsOf(Math.max(0, ttlMs))} s`,
      abridged(Buffer.isBuffer(value) ? printed(value) : terminal(textOf(value))),
    ]);
    if (rows.length === ROWS_AT_A_TIME) await flush();
  }
  if (rows.length > 0) await flush();
  return 0;
}

/** Lines for programs: what `export` writes, so that `import` takes it. */
async function printLines(
  lines: Iterable<string>,
  { stdout, signal }: Pick<Context, 'stdout' | 'signal'>,
): Promise<ExitCode> {
  for (const line of lines) {
    signal.throwIfAborted();
    stdout.line(line);
    if (stdout.full) await stdout.flush();
  }
  return 0;
}

function terminal(text: string): string {
  return terminalText(text, false);
}

/** Bytes on one line: text as it is, other bytes in hexadecimal. */
function printed(bytes: Buffer): string {
  if (isUtf8(bytes)) return terminal(bytes.toString());
  // Bytes that are ASCII stand for themselves, the others do not.
  return terminal(bytes.toString('latin1')).replace(
    /[\x80-\xff]/g,
    (byte) => `\\x${byte.charCodeAt(0).toString(16)}`,
  );
}

/** Text that is no longer than a line. */
function abridged(text: string): string {
  if (text.length <= VALUE_CHARACTERS) return text;
  return `${text.slice(0, VALUE_CHARACTERS - 3).replace(/[\ud800-\udbff]$/, '')}...`;
}

async function clear({ store, args: [prefix] }: Call): Promise<ExitCode> {
  await store.clear({ ...(prefix === undefined ? {} : { prefix }), durability: 'synced' });
  return 0;
}

async function stats({ store, options, context: { stdout } }: Call): Promise<ExitCode> {
  const { name, keys, keysWithTtl, usedBytes, clockAheadMs, bytes } = await store.stats();
  if (options.json === true)
    stdout.json({ name, values: store.values, keys, keysWithTtl, usedBytes, clockAheadMs, bytes });
  else {
    stdout.write(
      renderFacts([
        ['store', `${name} (${store.values})`],
        ['keys', formatCount(keys ?? 0)],
        ['that expire', formatCount(keysWithTtl ?? 0)],
        ['keys and values', formatBytes(usedBytes ?? 0)],
        ['in memory', formatBytes(bytes.memory)],
        ['in tables', formatBytes(bytes.disk)],
        ['write-ahead log', `${formatBytes(bytes.log)}, of all stores: it has what is in no table yet`],
        ['clock', clockAheadMs === 0 ? undefined : `${formatDuration(clockAheadMs)} ahead of this machine's`],
      ]),
    );
  }
  return 0;
}

async function exportAll({ store, args: [file], context }: Call): Promise<ExitCode> {
  if (file === undefined) return await printLines(store.exportLines(), context);
  let count = 0;
  function* lines(): Generator<string, void, undefined> {
    for (const line of store.exportLines()) {
      context.signal.throwIfAborted();
      count++;
      yield `${line}\n`;
    }
  }
  await writeLines(file, lines());
  context.note(`${formatCount(count)} keys were written to ${file}`);
  return 0;
}

async function importAll({ store, args, options, context }: Call): Promise<ExitCode> {
  const [file] = args as [string];
  const imported = await store.importLines(inputLines(file), { durability: 'synced' });
  if (options.json === true) context.stdout.json({ imported });
  else context.note(`${formatCount(imported)} keys were set`);
  return 0;
}
