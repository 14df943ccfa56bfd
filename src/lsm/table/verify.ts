/**
 * Checks a table, every byte of it: that its blocks lie end to end and have their checksums, that entries are in
 * order, that indexes and filters name them, and that the properties count what is there. One damaged block does
 * not keep the others from being looked at.
 *
 * @module
 */

import { isVarveError } from '../../errors.ts';
import { KIND_DELETE, KIND_NONE, KIND_PUT } from '../../memory/lsm-layout.ts';
import type { Memory } from '../../memory/memory.ts';
import * as layout from '../../memory/table-layout.ts';
import type { Vfs, VfsFile } from '../../vfs/vfs.ts';
import { bytesExpanded, damagedBlock, expandTo, readPrivate, readStored } from './blocks.ts';
import { CODEC_NONE, settleTable } from './codecs.ts';
import { decodeEntries, decodeNumbers } from './entries.ts';
import type { Handle, Part } from './format.ts';
import { FOOTER_BYTES } from './format.ts';
import { OPEN_BYTES, readEnd, readParts, type TableEnd } from './open-table.ts';
import type { TableProperties } from './table-file.ts';
import { type Tags, tagsOf } from './tags.ts';

/** Something that is wrong with a table. */
export interface TableDamage {
  /** What is damaged; `whole` where parts contradict each other, or what opening a table needs cannot be read. */
  what: 'data' | 'index' | 'filter' | 'whole';
  /** Where in the file, or 0 where it is about the whole. */
  position: number;
  bytes: number;
  reason: string;
  /** Entries that may be lost have keys behind the first, up to the second; undefined for none or all. */
  after: Uint8Array | undefined;
  upTo: Uint8Array | undefined;
}

export interface TableVerification {
  /** Undefined where not even that can be read. */
  properties: TableProperties | undefined;
  /** Blocks of data that were looked at. */
  blocks: number;
  /** Those of them that are whole, and that a whole index names. */
  wholeBlocks: number;
  entries: number;
  damage: TableDamage[];
}

const OWNER = 'verify';

/** What is counted on the way, to be compared with the properties. */
interface Counts {
  entries: number;
  tombstones: number;
  rawKeyBytes: number;
  rawValueBytes: number;
}

class TableVerifier {
  readonly #memory: Memory;
  readonly #file: VfsFile;
  readonly #scratch: number;
  readonly damage: TableDamage[] = [];
  readonly counts: Counts = { entries: 0, tombstones: 0, rawKeyBytes: 0, rawValueBytes: 0 };
  blocks = 0;
  wholeBlocks = 0;
  /** Where the next block must begin. */
  #position = 0;
  /** The name of the last block: all keys that come are greater. */
  #before: Uint8Array | undefined;
  #lastKey: Uint8Array | undefined;
  #lastSequence = 0;

  constructor(memory: Memory, file: VfsFile, scratch: number) {
    this.#memory = memory;
    this.#file = file;
    this.#scratch = scratch;
  }

  /** Notes what goes wrong, and goes on. */
  attempt(
    handle: Handle,
    what: TableDamage['what'],
    upTo: Uint8Array | undefined,
    check: () => void,
  ): boolean {
    try {
      check();
      return true;
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT')) throw error;
      const { position, bytes } = handle;
      this.damage.push({ what, position, bytes, reason: error.message, after: this.#before, upTo });
      return false;
    }
  }

  note({ position, bytes }: Handle, reason: string): void {
    this.damage.push({ what: 'whole', position, bytes, reason, after: undefined, upTo: undefined });
  }

  /** Checks that a block lies right behind the one before. */
  #follows(handle: Handle, what: string): void {
    if (handle.bytes === 0) return;
    if (handle.position !== this.#position) {
      this.note(handle, `${what} lies at position ${handle.position}, where ${this.#position} is due`);
    }
    this.#position = handle.position + handle.bytes;
  }

  part(part: Part, firstBlock: number): void {
    const { index, filter, blocks } = part;
    if (part.firstBlock !== firstBlock)
      this.note(index, `its part begins with another block than ${firstBlock}`);
    let handles: { key: Uint8Array; handle: Handle; tags: Tags | undefined }[] = [];
    this.attempt(index, 'index', part.lastKey, () => {
      const entries = decodeEntries(readPrivate(this.#memory, this.#file, index, this.#scratch, OPEN_BYTES));
      const named = (entries ?? []).map(({ key, value }) => {
        const [position = 0, bytes = 0, low, high, ...rest] = decodeNumbers(value) ?? [];
        if (bytes === 0 || (low === undefined) !== (high === undefined) || rest.length > 0)
          throw damagedBlock(this.#file.path, index.position, 'it is no index');
        const tags = low === undefined || high === undefined ? undefined : { low, high };
        return { key, handle: { position, bytes }, tags };
      });
      if (named.length !== blocks) throw damagedBlock(this.#file.path, index.position, 'it is no index');
      handles = named;
    });
    let filterBytes: Uint8Array | undefined;
    this.attempt(filter, 'filter', undefined, () => {
      if (filter.bytes === 0) return;
      filterBytes = readPrivate(this.#memory, this.#file, filter, this.#scratch, OPEN_BYTES);
      if (filterBytes.length % layout.FILTER_LINE_BYTES === 0) return;
      throw damagedBlock(this.#file.path, filter.position, 'it is no filter');
    });
    // Without its index, nothing is known of where the blocks of a part are.
    if (handles.length === 0) this.#position = filter.bytes === 0 ? index.position : filter.position;
    for (const { key, handle, tags } of handles) {
      this.#follows(handle, 'a block');
      const isWhole = this.attempt(handle, 'data', key, () => this.#block(handle, key, filterBytes, tags));
      if (isWhole) this.wholeBlocks++;
      this.#before = key;
    }
    if (handles.length > 0 && Buffer.compare(this.#before as Uint8Array, part.lastKey) !== 0) {
      this.note(index, 'it ends with another key than its part');
    }
    this.#follows(filter, 'a filter');
    this.#follows(index, 'an index');
  }

  #block(handle: Handle, name: Uint8Array, filter: Uint8Array | undefined, tags: Tags | undefined): void {
    const { slabs } = this.#memory;
    const broken = (reason: string): Error => damagedBlock(this.#file.path, handle.position, reason);
    const stored = slabs.allocate(handle.bytes + 64, OWNER);
    const expanded = slabs.allocate(2 * layout.LARGE_ENTRY_BYTES + layout.KEY_ROOM_BYTES + 64, OWNER);
    const rowBytes =
      layout.BLOCK_ENTRIES_MAX * layout.ROW_ENTRY_BYTES + layout.BLOCK_KEY_BYTES + layout.KEY_ROOM_BYTES;
    const rows = slabs.allocate(rowBytes + (filter?.length ?? 0) + 128, OWNER);
    try {
      const block = readStored(this.#memory, this.#file, handle, stored.address);
      let { address } = stored;
      const bytes = bytesExpanded(this.#memory, this.#file, handle, address, block);
      if (block.codec !== CODEC_NONE) {
        expandTo(this.#memory, this.#file, handle, address, block, expanded.address);
        ({ address } = expanded);
      }
      const count = this.#memory.kernels.decodeBlock(address, bytes, rows.address, rowBytes);
      if (count <= 0) throw broken('its entries are broken');
      this.blocks++;
      const filterAt = (rows.address + rowBytes + 63) & -64;
      if (filter !== undefined) this.#memory.u8.set(filter, filterAt);
      for (let i = 0; i < count; i++) {
        this.#row(
          rows.address + i * layout.ROW_ENTRY_BYTES,
          filter === undefined ? 0 : filterAt,
          filter,
          broken,
        );
        if (tags !== undefined) this.#checkTags(rows.address + i * layout.ROW_ENTRY_BYTES, tags, broken);
      }
      if (Buffer.compare(this.#lastKey as Uint8Array, name) > 0)
        throw broken('it goes beyond its name in the index');
    } finally {
      rows.release();
      expanded.release();
      stored.release();
    }
  }

  #checkTags(row: number, { low, high }: Tags, broken: (reason: string) => Error): void {
    const { u8, i32 } = this.#memory;
    const value = i32[(row + layout.ROW_VALUE) >> 2] as number;
    const bytes = Math.min(2, i32[(row + layout.ROW_VALUE_LENGTH) >> 2] as number);
    const own = tagsOf(u8[row + layout.ROW_KIND] as number, u8.subarray(value, value + bytes));
    if ((own.low & ~low) !== 0 || (own.high & ~high) !== 0)
      throw broken('its tags are not those of its entries');
  }

  #row(
    row: number,
    filterAt: number,
    filter: Uint8Array | undefined,
    broken: (reason: string) => Error,
  ): void {
    const { u8, i32, f64, data, kernels } = this.#memory;
    const address = i32[(row + layout.ROW_KEY) >> 2] as number;
    const bytes = data.getUint16(row + layout.ROW_KEY_LENGTH, true);
    const kind = u8[row + layout.ROW_KIND] as number;
    const sequence = f64[(row + layout.ROW_SEQUENCE) >> 3] as number;
    const key = u8.slice(address, address + bytes);
    if (kind !== KIND_PUT && kind !== KIND_DELETE) throw broken(`an entry is of kind ${kind}`);
    if (this.#before !== undefined && Buffer.compare(key, this.#before) <= 0) {
      // Versions of one key may go on from block to block.
      const goesOn = this.#lastKey !== undefined && Buffer.compare(key, this.#lastKey) === 0;
      if (!goesOn) throw broken('a key is not greater than the block before');
    }
    if (this.#lastKey !== undefined) {
      const order = Buffer.compare(this.#lastKey, key);
      if (order > 0 || (order === 0 && this.#lastSequence <= sequence))
        throw broken('its entries are out of order');
    }
    const lines = (filter?.length ?? 0) / layout.FILTER_LINE_BYTES;
    if (lines > 0 && kernels.filterHas(filterAt, lines, kernels.filterHash(address, bytes)) === KIND_NONE) {
      throw broken('the filter does not have one of its keys');
    }
    this.#lastKey = key;
    this.#lastSequence = sequence;
    this.counts.entries++;
    if (kind === KIND_DELETE) this.counts.tombstones++;
    this.counts.rawKeyBytes += bytes;
    this.counts.rawValueBytes += i32[(row + layout.ROW_VALUE_LENGTH) >> 2] as number;
  }

  /** Checks that what is behind the parts begins where they end, and that the properties are right. */
  finish({ footer, properties, rangeTombstones }: TableEnd): void {
    this.#follows(footer.ranges, 'the block of deleted ranges');
    this.#follows(footer.parts, 'the block of the parts');
    this.#follows(footer.properties, 'the block of the properties');
    if (this.damage.length > 0) return;
    const whole = { position: 0, bytes: footer.fileBytes };
    const wrong = Object.entries(this.counts).filter(
      ([name, count]) => properties[name as keyof Counts] !== count,
    );
    for (const [name, count] of wrong) {
      this.note(
        whole,
        `its properties say ${properties[name as keyof Counts]} of ${name}, and there are ${count}`,
      );
    }
    if (properties.rangeTombstones !== rangeTombstones.length) {
      this.note(whole, 'its properties count another number of deleted ranges');
    }
    if (properties.blocks !== this.blocks) this.note(whole, 'its properties count another number of blocks');
  }
}

/**
 * Checks a table.
 *
 * @throws VarveError `NOT_FOUND`, `IO`, `NO_MEMORY`, `VERSION`, `UNSUPPORTED`; damage is reported
 */
export async function verifyTable(vfs: Vfs, path: string, memory: Memory): Promise<TableVerification> {
  const slab = memory.slabs.allocate(OPEN_BYTES + 64, OWNER);
  let file: VfsFile | undefined;
  try {
    file = await vfs.open(path, 'read');
    const verifier = new TableVerifier(memory, file, slab.address);
    const properties = await verifyFile(verifier, memory, file, slab.address);
    const { damage, counts, blocks, wholeBlocks } = verifier;
    return { properties, blocks, wholeBlocks, entries: counts.entries, damage };
  } finally {
    slab.release();
    await file?.close();
  }
}

async function verifyFile(
  verifier: TableVerifier,
  memory: Memory,
  file: VfsFile,
  scratch: number,
): Promise<TableProperties | undefined> {
  const fileBytes = await file.size();
  const footer = { position: Math.max(0, fileBytes - FOOTER_BYTES), bytes: FOOTER_BYTES };
  const ends: TableEnd[] = [];
  verifier.attempt(footer, 'whole', undefined, () => {
    ends.push(readEnd(memory, file, fileBytes, scratch));
  });
  const [end] = ends;
  if (end === undefined) return undefined;
  await settleTable(end.properties.codec);
  verifier.attempt(footer, 'whole', undefined, () => {
    const parts = end.footer.parts.bytes === 0 ? [] : readParts(memory, file, end.footer, scratch);
    let firstBlock = 0;
    for (const part of parts) {
      verifier.part(part, firstBlock);
      firstBlock += part.blocks;
    }
    verifier.finish(end);
  });
  return end.properties;
}
