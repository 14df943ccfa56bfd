/**
 * Lines of JSON into a store: all of them, or none, however many they are. What one write has room for is one write.
 * More is laid down beside the store first, in pieces, under keys of the second tree that begin with 2:
 *
 *     +----+------------+          +------------------+------------+- - -+- - - -
 *     | 02 | number u32 |   ->     | expiry, f64 LE   | key length | key | value
 *     |    | big-endian |          | 0: never         | u32 LE     |     |
 *     +----+------------+          +------------------+------------+- - -+- - - -
 *
 * When all is there, one write says so (the key `00 'i'`): from then on the import has happened. It is then put in place
 * in pieces, while other writes wait and readers see the store as it was before. Who opens a store goes on with what was
 * said to have happened, and removes what was not.
 *
 * @module
 */

import { nameOf, type ValueCodec } from './codecs.ts';
import type { KvCore } from './core.ts';
import { EXPIRY_BYTES, foreign, type KvPut } from './layout.ts';
import { parseLine } from './transfer.ts';
import { type KvDurability, levelOf } from './writes.ts';

export interface ImportOptions {
  /** What the promise waits for; the level of the write-ahead log unless given. */
  durability?: KvDurability;
}

const STAGED_KIND = 2;
const STAGED_START = Uint8Array.of(STAGED_KIND);
const STAGED_END = Uint8Array.of(STAGED_KIND + 1);
const STAGED_KEY_BYTES = 5;
const HEADER_BYTES = EXPIRY_BYTES + 4;
/** Says that what was laid down has happened. */
const HAPPENED_KEY = Uint8Array.of(0, 0x69);
/** What is gathered before it is laid down, and put in place at once. */
const PIECE_BYTES = 512 * 1024;
const NOTHING = new Uint8Array();

/**
 * Sets what lines say, as `KvStore.importLines` does.
 *
 * @param pieceBytes what is laid down, and put in place, at once
 */
export async function importLines(
  core: KvCore,
  codec: ValueCodec<unknown>,
  lines: Iterable<string> | AsyncIterable<string>,
  options: ImportOptions,
  pieceBytes: number = PIECE_BYTES,
): Promise<number> {
  const level = levelOf(options, ['durability']);
  checkLines(lines);
  let [number, staged, bytes] = [0, 0, 0];
  let piece: KvPut[] = [];
  let leave: (() => void) | undefined;
  try {
    for await (const text of lines) {
      number++;
      if (typeof text === 'string' && text.trim() === '') continue;
      const line = parseLine(text, number, codec, core.clock);
      piece.push(line);
      bytes += HEADER_BYTES + line.key.length + line.value.length;
      // Where keys may have to go for others, it must be one write.
      if (bytes < pieceBytes || core.directory !== undefined) continue;
      leave ??= await core.enterImport();
      staged = await layDown(core, piece, staged);
      [piece, bytes] = [[], 0];
    }
    if (staged === 0) return await setAll(core, piece, level);
    staged = await layDown(core, piece, staged);
    return await core.apart(async () => {
      await core.writeApart(() => core.putTime(HAPPENED_KEY, NOTHING), 'synced');
      // What was accepted before is acknowledged by now, so that whoever wrote it sees it.
      core.pin();
      return await putInPlace(core, pieceBytes);
    });
  } catch (error) {
    if (staged > 0 && core.time.getSync(HAPPENED_KEY) === undefined)
      // Where this fails too, whoever opens the store does it.
      await removeStaged(core).catch(() => undefined);
    throw error;
  } finally {
    leave?.();
  }
}

function checkLines(lines: unknown): void {
  // A string is an iterable too, of its characters.
  if (typeof lines === 'object' && lines !== null)
    if (Symbol.iterator in lines || Symbol.asyncIterator in lines) return;
  throw new TypeError(`lines must be an iterable of strings, not ${nameOf(lines)}`);
}

/** Goes on with an import that has happened and was interrupted, and removes one that has not. */
export async function finishImport(core: KvCore): Promise<void> {
  const [staged] = core.time.keys({ gte: STAGED_START, lt: STAGED_END, limit: 1 });
  if (core.time.getSync(HAPPENED_KEY) !== undefined) await putInPlace(core);
  else if (staged !== undefined) await removeStaged(core);
}

async function setAll(
  core: KvCore,
  lines: readonly KvPut[],
  level: KvDurability | undefined,
): Promise<number> {
  let count = 0;
  await core.write(false, level, () => {
    const nowMs = core.clock.now();
    const live = lines.filter(({ expiryMs }) => expiryMs === 0 || expiryMs > nowMs);
    count = live.length;
    core.putAll(live);
    return count > 0;
  });
  return count;
}

/** Lays lines down behind others; returns how many there are then. */
async function layDown(core: KvCore, lines: readonly KvPut[], before: number): Promise<number> {
  let number = before;
  await core.write(false, 'written', () => {
    number = before;
    for (const { key, value, expiryMs } of lines) {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value;
      const staged = Buffer.allocUnsafe(HEADER_BYTES + key.length + bytes.length);
      staged.writeDoubleLE(expiryMs, 0);
      staged.writeUInt32LE(key.length, EXPIRY_BYTES);
      staged.set(key, HEADER_BYTES);
      staged.set(bytes, HEADER_BYTES + key.length);
      core.putTime(stagedKey(number++), staged);
    }
    return lines.length > 0;
  });
  return number;
}

function stagedKey(number: number): Buffer {
  const key = Buffer.allocUnsafe(STAGED_KEY_BYTES);
  key[0] = STAGED_KIND;
  key.writeUInt32BE(number, 1);
  return key;
}

/** Puts in place what was laid down; returns how many keys were set. */
async function putInPlace(core: KvCore, pieceBytes: number = PIECE_BYTES): Promise<number> {
  let count = 0;
  for (let isLast = false; !isLast; ) {
    const piece: [key: Buffer, staged: Buffer][] = [];
    let bytes = 0;
    isLast = true;
    for (const entry of core.time.entries({ gte: STAGED_START, lt: STAGED_END })) {
      piece.push(entry);
      bytes += entry[1].length;
      if (bytes < pieceBytes) continue;
      isLast = false;
      break;
    }
    await core.writeApart(() => {
      for (const [key, staged] of piece) {
        if (putStaged(core, staged)) count++;
        core.deleteDue(key);
      }
      if (isLast) core.deleteDue(HAPPENED_KEY);
      return true;
    });
  }
  return count;
}

function putStaged(core: KvCore, staged: Buffer): boolean {
  if (staged.length < HEADER_BYTES) throw foreign('a piece of an import');
  const expiryMs = staged.readDoubleLE(0);
  const end = HEADER_BYTES + staged.readUInt32LE(EXPIRY_BYTES);
  if (end > staged.length) throw foreign('a piece of an import');
  if (expiryMs !== 0 && expiryMs <= core.clock.now()) return false;
  core.put(staged.subarray(HEADER_BYTES, end), staged.subarray(end), expiryMs);
  return true;
}

function removeStaged(core: KvCore): Promise<unknown> {
  return core.writeApart(() => core.deleteTimeRange(STAGED_START, STAGED_END));
}
