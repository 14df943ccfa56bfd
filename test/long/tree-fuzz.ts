/**
 * Feeds what decodes tables, the manifest and the records of the write-ahead log with what nobody has written: valid
 * input with a few bytes changed, and the checksum made right again, which would hide the rest of the decoder.
 * Nothing but a `VarveError` may come of it, and nothing may be written to memory that is somebody else's.
 *
 * @module
 */

import { isVarveError } from '../../src/errors.ts';
import { applyEdit, decodeEdit, type Edit, emptyState, encodeEdit } from '../../src/lsm/manifest-state.ts';
import { decodeOperations, OperationsEncoder } from '../../src/lsm/operations.ts';
import { readEnd, readParts } from '../../src/lsm/table/open-table.ts';
import type { TableFile } from '../../src/lsm/table/table-file.ts';
import { verifyTable } from '../../src/lsm/table/verify.ts';
import { TARGET_BYTES, TARGET_TREE } from '../../src/memory/lsm-layout.ts';
import { BLOCK_TRAILER_BYTES } from '../../src/memory/table-layout.ts';
import { crc32cOf } from '../kit/batch-bytes.ts';
import { fileBytes, putFile } from '../kit/log-kit.ts';
import { mutate } from '../kit/mutations.ts';
import { createRandom, type Random } from '../kit/random.ts';
import { randomEntries, type TestEntry } from '../kit/table-arena.ts';
import { TableKit } from '../kit/tables.ts';
import { loadCode } from './laboratory.ts';

export interface TreeFuzzCounts {
  tables: number;
  operations: number;
  edits: number;
}

const FOOTER_BYTES = 64;
const FOOTER_CHECKSUM_AT = 52;
const FOOTER_MAGIC_AT = 56;
const CANARY_BYTES = 256;

/** Runs something that may fail, but only as the world may. */
async function tryTo(what: string, action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!isVarveError(error)) throw new Error(`${what}: ${String(error)}`, { cause: error });
  }
}

/** Memory that nobody else is to touch, and the tables of the kernels, by what they make of it. */
class Canary {
  readonly #kit: TableKit;
  readonly #address: number;
  readonly #crc: number;

  constructor(kit: TableKit) {
    this.#kit = kit;
    this.#address = kit.memory.slabs.allocate(CANARY_BYTES, 'canary').address;
    kit.memory.u8.fill(0x5a, this.#address, this.#address + CANARY_BYTES);
    this.#crc = this.#look();
  }

  check(what: string): void {
    if (this.#look() !== this.#crc) throw new Error(`${what}: memory of somebody else was written to`);
  }

  #look(): number {
    return this.#kit.memory.kernels.crc32c(this.#address, CANARY_BYTES, 0);
  }
}

/** A table, and where its blocks are. */
interface Site {
  kit: TableKit;
  file: TableFile;
  entries: readonly TestEntry[];
  bytes: Buffer;
  blocks: readonly { position: number; bytes: number }[];
  canary: Canary;
}

async function createSite(seed: number): Promise<Site> {
  const random = createRandom(seed);
  const kit = new TableKit(undefined, 32 << 20, 1 << 20);
  const entries = randomEntries(random, 150, 30);
  const rangeTombstones = [{ start: Buffer.from('a'), end: Buffer.from('c'), sequence: 5 }];
  const compression = random.pick(['none', 'none', 'deflate'] as const);
  const file = (await kit.write(entries, {
    snapshots: Array.from({ length: 40 }, (_, i) => i),
    rangeTombstones,
    options: { blockBytes: 256, compression },
  })) as TableFile;
  const bytes = await fileBytes(kit.vfs, kit.path(file.number));
  const blocks: Site['blocks'][number][] = [];
  const reader = await kit.open(file.number);
  const slab = kit.memory.slabs.allocate(16_384, 'fuzz');
  const { footer } = readEnd(kit.memory, reader.file, bytes.length, slab.address);
  for (const [part, { blocks: count, index, filter }] of readParts(
    kit.memory,
    reader.file,
    footer,
    slab.address,
  ).entries()) {
    for (let entry = 0; entry < count; entry++) blocks.push(reader.handle(part, entry));
    blocks.push(index, filter);
  }
  blocks.push(footer.parts, footer.properties, footer.ranges);
  slab.release();
  await reader.close();
  return { kit, file, entries, bytes, blocks, canary: new Canary(kit) };
}

/** Changes a block, or the footer, and makes its checksum right again. */
function changed({ bytes, blocks }: Site, random: Random): { what: string; table: Buffer } {
  const table = Buffer.from(bytes);
  if (random.chance(0.1)) {
    const footer = table.subarray(-FOOTER_BYTES);
    mutate(footer.subarray(0, FOOTER_CHECKSUM_AT), 0, random);
    const head = crc32cOf(footer.subarray(0, FOOTER_CHECKSUM_AT));
    footer.writeUInt32LE(crc32cOf(footer.subarray(FOOTER_MAGIC_AT), head) >>> 0, FOOTER_CHECKSUM_AT);
    return { what: 'footer', table };
  }
  const { position, bytes: length } = random.pick(blocks.filter((block) => block.bytes > 0));
  const block = table.subarray(position, position + length);
  mutate(block.subarray(0, length - BLOCK_TRAILER_BYTES + 1), 0, random);
  const covered = length - BLOCK_TRAILER_BYTES + 1;
  block.writeUInt32LE(crc32cOf(block.subarray(0, covered)) >>> 0, covered);
  return { what: `block at ${position}`, table };
}

/** A table whose checksums are right, and whose bytes are not: it is verified, read and merged. */
export async function fuzzTables(seed: number, { tables }: Pick<TreeFuzzCounts, 'tables'>): Promise<void> {
  await loadCode();
  const site = await createSite(seed);
  const random = createRandom(seed);
  const { kit, file, entries, canary } = site;
  for (let i = 0; i < tables; i++) {
    const { what: where, table } = changed(site, random);
    const what = `table ${i} of seed ${seed}, ${where}`;
    const path = kit.path(file.number);
    await putFile(kit.vfs, path, table);
    await tryTo(`verifying ${what}`, () => verifyTable(kit.vfs, path, kit.memory));
    await tryTo(`reading ${what}`, async () => {
      const reader = await kit.open(file.number);
      try {
        for (let gets = 0; gets < 6; gets++)
          await tryTo(`get from ${what}`, () => kit.get(reader, random.pick(entries).key));
        for (const backward of [false, true])
          await tryTo(`scan of ${what}`, () => kit.scan([reader], { backward }, 50));
      } finally {
        await reader.close();
      }
    });
    await tryTo(`merging ${what}`, () => kit.merge([[file]], [], { targetBytes: 4000 }));
    canary.check(what);
  }
  const leaks = kit.leaks().filter(({ owner }) => owner !== 'canary');
  if (leaks.length > 0) throw new Error(`seed ${seed}: not given back: ${JSON.stringify(leaks)}`);
}

/** Records of the write-ahead log. */
export function fuzzOperations(seed: number, { operations }: Pick<TreeFuzzCounts, 'operations'>): void {
  const random = createRandom(seed);
  const kit = new TableKit(undefined, 16 << 20, 1 << 20);
  const canary = new Canary(kit);
  const { memory } = kit;
  const slab = memory.slabs.allocate(65_536, 'fuzz');
  const targets = slab.address + 32_768;
  const encoder = new OperationsEncoder();
  for (let i = 0; i < operations; i++) {
    encoder.clear();
    for (let n = random.int(1, 6); n > 0; n--) {
      const key = random.bytes(random.int(1, 30));
      const tree = random.int(1, 300);
      const kind = random.next();
      if (kind < 0.5) encoder.put(tree, key, random.bytes(random.int(0, 200)));
      else if (kind < 0.8) encoder.delete(tree, key);
      else encoder.deleteRange(tree, key, Buffer.concat([key, Buffer.of(1)]));
    }
    const bytes = Buffer.from(encoder.bytes);
    mutate(bytes, 0, random);
    const cut = random.chance(0.2) ? bytes.subarray(0, random.int(1, bytes.length)) : bytes;
    let count = -1;
    try {
      count = [...decodeOperations(cut, 0)].length;
    } catch (error) {
      if (!isVarveError(error)) throw new Error(`operations ${i} of seed ${seed}`, { cause: error });
    }
    memory.u8.set(cut, slab.address);
    memory.i32[(targets + TARGET_TREE) >> 2] = 7;
    const measured = memory.kernels.measureOperations(slab.address, cut.length, targets, 1);
    if (measured !== count && !(count <= 0 && measured <= 0))
      throw new Error(`operations ${i} of seed ${seed}: ${count} are decoded, and ${measured} measured`);
    canary.check(`operations ${i} of seed ${seed}`);
  }
  if (TARGET_BYTES <= 0) throw new Error('targets have a size');
}

/** Records of the manifest. */
export async function fuzzEdits(seed: number, { edits }: Pick<TreeFuzzCounts, 'edits'>): Promise<void> {
  const random = createRandom(seed);
  const { file } = await createSite(seed);
  const options = { memtableBytes: 65_536 } as never;
  const first: Edit = { trees: [{ id: 1, name: 'one', flushed: 3, options }], next: 5 };
  const second: Edit = {
    add: [{ tree: 1, level: 0, ...file }],
    remove: [],
    flushed: [[1, 9]],
  };
  for (let i = 0; i < edits; i++) {
    const values = [encodeEdit(first, random.chance(0.5)), encodeEdit(second)];
    mutate(random.pick(values), 0, random);
    await tryTo(`edits ${i} of seed ${seed}`, () => {
      const state = emptyState();
      for (const [offset, value] of values.entries())
        applyEdit(state, decodeEdit(value, offset).edit, offset);
    });
  }
}
