/**
 * Reads tables from their beginning to their end, one after the other, for a merge. The file is read a window at
 * a time; of a block with one large entry only the key is read, and the value when it is copied.
 *
 * @module
 */

import type { MemoryView } from '../../memory/memory.ts';
import * as layout from '../../memory/table-layout.ts';
import { joinPath, type Vfs, type VfsFile } from '../../vfs/vfs.ts';
import { endSource, setSource } from '../merge-source.ts';
import { bytesExpanded, damagedBlock, expandTo, readPrivate } from '../table/blocks.ts';
import { CODEC_NONE } from '../table/codecs.ts';
import { decodeEntries, decodeNumbers } from '../table/entries.ts';
import type { Handle, Part } from '../table/format.ts';
import { OPEN_BYTES, readEnd, readParts } from '../table/open-table.ts';
import type { StreamedValue } from '../table/output-bytes.ts';
import { type TableFile, tableFileName } from '../table/table-file.ts';
import { pieceBytes, type WorkMemory } from '../table/work.ts';
import { LargeBlock } from './large-block.ts';
import type { TaskSource } from './merge-core.ts';
import type { OutputArgs } from './output.ts';

const WINDOW_BYTES = 256 * 1024;

/** The room that reading some tables takes. */
interface Room {
  window: number;
  expanded: number;
  rows: number;
}

function roomFor(tables: readonly TableFile[], bufferBytes: number): Room {
  const most = (pick: (table: TableFile) => number): number =>
    tables.reduce((greatest, table) => Math.max(greatest, pick(table)), 0);
  const block = most(({ properties }) => properties.largestBlockBytes) + layout.BLOCK_TRAILER_BYTES;
  return {
    window: Math.max(Math.min(WINDOW_BYTES, bufferBytes), block, layout.KEY_ROOM_BYTES + OPEN_BYTES),
    expanded: block,
    rows: Math.max(
      layout.ROW_ENTRY_BYTES,
      most(({ properties }) => properties.decodedBlockBytes),
    ),
  };
}

/** How much working memory it takes to read some tables one after the other. */
export function scanBytes(tables: readonly TableFile[], bufferBytes: number = WINDOW_BYTES): number {
  const { window, expanded, rows } = roomFor(tables, bufferBytes);
  return pieceBytes(window) + pieceBytes(expanded) + pieceBytes(rows);
}

/** Positions of blocks of data, and of indexes, that cannot be read; by the number of their table. */
export type DamagedBlocks = ReadonlyMap<number, ReadonlySet<number>>;

const NONE_DAMAGED: DamagedBlocks = new Map();

/** A table that is being read. */
interface OpenTable {
  file: VfsFile;
  table: TableFile;
  parts: readonly Part[];
  part: number;
  /** Blocks of the part that are not read yet, the next one last. */
  handles: Handle[];
}

export class TableScan implements TaskSource {
  readonly #memory: MemoryView;
  readonly #vfs: Vfs;
  readonly #directory: string;
  readonly #waiting: TableFile[];
  readonly #damaged: DamagedBlocks;
  readonly #room: Room;
  readonly #window: number;
  readonly #expanded: number;
  readonly #rows: number;
  #open: OpenTable | undefined;
  /** Which bytes of the file lie in the window. */
  #from = 0;
  #to = 0;
  #large: LargeBlock | undefined;

  /**
   * @param tables in order, without overlap
   * @param damaged blocks that are passed over
   */
  constructor(
    memory: MemoryView,
    work: WorkMemory,
    vfs: Vfs,
    { directory, options }: Pick<OutputArgs, 'directory' | 'options'>,
    tables: readonly TableFile[],
    damaged: DamagedBlocks = NONE_DAMAGED,
  ) {
    this.#memory = memory;
    this.#damaged = damaged;
    this.#vfs = vfs;
    this.#directory = directory;
    this.#waiting = tables.filter(({ properties }) => properties.entries > 0).reverse();
    this.#room = roomFor(tables, options.bufferBytes ?? WINDOW_BYTES);
    this.#window = work.take(this.#room.window);
    this.#expanded = work.take(this.#room.expanded);
    this.#rows = work.take(this.#room.rows);
  }

  next(source: number): Promise<void> | undefined {
    this.#large = undefined;
    const open = this.#open;
    const handle = open === undefined ? undefined : this.#nextHandle(open);
    if (open === undefined || handle === undefined) return this.#openNext(source);
    this.#show(source, open, handle);
    return undefined;
  }

  streamed(): StreamedValue | undefined {
    return this.#large;
  }

  async close(): Promise<void> {
    const file = this.#open?.file;
    this.#open = undefined;
    await file?.close();
  }

  async #openNext(source: number): Promise<void> {
    await this.close();
    const table = this.#waiting.pop();
    if (table === undefined) {
      endSource(this.#memory, source);
      return;
    }
    const file = await this.#vfs.open(joinPath(this.#directory, tableFileName(table.number)), 'read');
    this.#open = { file, table, parts: [], part: -1, handles: [] };
    this.#from = 0;
    this.#to = 0;
    const { footer } = readEnd(this.#memory, file, await file.size(), this.#window);
    this.#open.parts = readParts(this.#memory, file, footer, this.#window);
    await this.next(source);
  }

  #nextHandle(open: OpenTable): Handle | undefined {
    const damaged = this.#damaged.get(open.table.number);
    for (;;) {
      const handle = open.handles.pop();
      if (handle !== undefined && damaged?.has(handle.position) !== true) return handle;
      if (handle !== undefined) continue;
      const part = open.parts[++open.part];
      if (part === undefined) return undefined;
      if (damaged?.has(part.index.position) !== true) this.#readIndex(open, part);
    }
  }

  /** Reads which blocks a part has. */
  #readIndex(open: OpenTable, part: Part): void {
    // What is in the window is overwritten, and lies before what is read next.
    this.#to = this.#from;
    const block = readPrivate(this.#memory, open.file, part.index, this.#window, this.#room.window);
    const handles = decodeEntries(block)?.map(({ value }) => {
      const [position, bytes] = decodeNumbers(value) ?? [];
      return { position: position ?? 0, bytes: bytes ?? 0 };
    });
    if (handles?.length !== part.blocks) {
      throw damagedBlock(open.file.path, part.index.position, 'its entries are broken');
    }
    open.handles = handles.reverse();
  }

  #show(source: number, { file, table }: OpenTable, handle: Handle): void {
    const { kernels } = this.#memory;
    const { properties } = table;
    if (handle.bytes > properties.largestBlockBytes + layout.BLOCK_TRAILER_BYTES) {
      this.#to = this.#from;
      this.#large = LargeBlock.read(this.#memory, file, handle, this.#window, this.#rows);
      setSource(this.#memory, source, layout.FORM_ROWS, this.#rows, 1, false);
      return;
    }
    const address = this.#inWindow(file, handle);
    const codec = kernels.openBlock(address, handle.bytes);
    if (codec <= 0) throw damagedBlock(file.path, handle.position, 'its checksum is wrong');
    const stored = { codec, bytes: handle.bytes - layout.BLOCK_TRAILER_BYTES };
    let block = address;
    let bytes = stored.bytes;
    if (codec !== CODEC_NONE) {
      bytes = bytesExpanded(this.#memory, file, handle, address, stored);
      if (bytes > this.#room.expanded) throw damagedBlock(file.path, handle.position, 'it is too large');
      expandTo(this.#memory, file, handle, address, stored, this.#expanded);
      block = this.#expanded;
    }
    const count = kernels.decodeBlock(block, bytes, this.#rows, this.#room.rows);
    if (count <= 0) throw damagedBlock(file.path, handle.position, 'its entries are broken');
    setSource(this.#memory, source, layout.FORM_ROWS, this.#rows, count, false);
  }

  /** Where a stored block lies in the window, which is read anew where it does not. */
  #inWindow(file: VfsFile, { position, bytes }: Handle): number {
    if (position < this.#from || position + bytes > this.#to) {
      if (bytes > this.#room.window) throw damagedBlock(file.path, position, 'it is too large');
      const read = file.readSync(this.#memory.buffer(this.#window, this.#room.window), position);
      if (read < bytes) throw damagedBlock(file.path, position, 'the file ends inside');
      this.#from = position;
      this.#to = position + read;
    }
    return this.#window + position - this.#from;
  }
}
