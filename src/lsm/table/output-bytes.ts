/**
 * The end of a table that is being written: bytes are gathered in the shared memory, where blocks are built, and
 * go to the file about a MiB at once.
 *
 * @module
 */

import { assert } from '../../assert.ts';
import type { MemoryView } from '../../memory/memory.ts';
import { BLOCK_TRAILER_BYTES, LARGE_ENTRY_BYTES } from '../../memory/table-layout.ts';
import type { VfsFile } from '../../vfs/vfs.ts';
import { CODEC_NONE } from './codecs.ts';
import type { Handle } from './format.ts';
import { pieceBytes, type WorkMemory } from './work.ts';

/** So much is written to the file at once, unless the memory is small. */
export const BUFFER_BYTES_MAX: number = 1024 * 1024;
const BUFFER_BYTES_MIN = 64 * 1024;
const BUFFER_SHARE = 1 / 64;
/** When so much more was written, it is synced, so that the disk works while the rest is made. */
const SYNC_BYTES = 4 * BUFFER_BYTES_MAX;
/** So often the thread is let go of, since it hears only then that a sync has ended. */
const TURN_BYTES = 2 * BUFFER_BYTES_MAX;
/** What blocks can be told to have at most, when they do not have one larger entry. */
export const BLOCK_BYTES_MIN = 256;
export const BLOCK_BYTES_MAX = 65_536;
/** The largest block that is built, with its trailer: an entry that is not large, or a block's target. */
const BLOCK_ROOM = LARGE_ENTRY_BYTES + BLOCK_BYTES_MAX + 16_384;

/** How much working memory it takes. */
export function outputBytes(bufferBytes: number): number {
  return pieceBytes(bufferBytes + BLOCK_ROOM);
}

/** How much is written and read at once where the memory has so many bytes: several merges of tables must find room. */
export function bufferBytesOf(budgetBytes: number): number {
  const share = 2 ** Math.floor(Math.log2(budgetBytes * BUFFER_SHARE));
  return Math.max(BUFFER_BYTES_MIN, Math.min(BUFFER_BYTES_MAX, share));
}

/** Bytes in the shared memory. */
export interface Span {
  address: number;
  bytes: number;
}

/** A value that is copied from file to file, because it is too large to lie in memory with others. */
export interface StreamedValue {
  bytes: number;
  /** Reads a part of it to an address. */
  read(address: number, from: number, bytes: number): void;
  /** Checks that what was read is what had been written. To be called when all was. */
  verify(): void;
}

/** What is told of each write: how many bytes it had. */
export type OnWritten = (bytes: number) => void;

/** A file that is synced while it grows. */
class GrowingFile {
  readonly #file: VfsFile;
  #position = 0;
  /** A sync under way, which never rejects, and the position up to which the file was told to be synced. */
  #syncing: Promise<void> | undefined;
  #syncedTo = 0;
  #failure: { error: unknown } | undefined;

  constructor(file: VfsFile) {
    this.#file = file;
  }

  append(bytes: Uint8Array): void {
    this.#file.writeSync(bytes, this.#position);
    this.#position += bytes.length;
    if (this.#position - this.#syncedTo >= SYNC_BYTES && this.#syncing === undefined) this.#beginSync();
  }

  /**
   * Syncs and closes it.
   *
   * @throws VarveError `IO`, `NO_SPACE`: also where an earlier sync has failed, which no later one makes good
   */
  async finish(): Promise<void> {
    try {
      await this.#syncing;
      if (this.#failure !== undefined) throw this.#failure.error;
      await this.#file.datasync();
    } finally {
      await this.#file.close();
    }
  }

  /** Closes it as it is. */
  async abandon(): Promise<void> {
    await this.#syncing;
    await this.#file.close();
  }

  #beginSync(): void {
    this.#syncedTo = this.#position;
    this.#syncing = this.#file
      .datasync()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(() => {
        this.#syncing = undefined;
      });
  }
}

export class OutputBytes {
  readonly #memory: MemoryView;
  readonly #address: number;
  readonly #bufferBytes: number;
  readonly #onWritten: OnWritten;
  #file: GrowingFile | undefined;
  /** Where in the file the bytes in memory belong, and how many there are. */
  #position = 0;
  #used = 0;
  /** Where the thread is let go of the next time. */
  #turnAt = 0;

  constructor(memory: MemoryView, work: WorkMemory, bufferBytes: number, onWritten: OnWritten) {
    this.#memory = memory;
    this.#bufferBytes = bufferBytes;
    this.#address = work.take(bufferBytes + BLOCK_ROOM);
    this.#onWritten = onWritten;
  }

  /** Length of the file, with what waits to be written. */
  get bytes(): number {
    return this.#position + this.#used;
  }

  /** Where the next bytes go: there is room for any block, unless this is full. */
  get end(): number {
    return this.#address + this.#used;
  }

  get isFull(): boolean {
    return this.#used >= this.#bufferBytes;
  }

  get hasFile(): boolean {
    return this.#file !== undefined;
  }

  /** Whether it is time to let go of the thread for a moment; says so once. */
  takeTurn(): boolean {
    if (this.#position < this.#turnAt) return false;
    this.#turnAt = this.#position + TURN_BYTES;
    return this.#position > 0;
  }

  /** Begins an empty file, which is given later. */
  begin(): void {
    this.#file = undefined;
    this.#position = 0;
    this.#used = 0;
    this.#turnAt = TURN_BYTES;
  }

  attach(file: VfsFile): void {
    assert(this.#file === undefined, 'a table has one file');
    this.#file = new GrowingFile(file);
  }

  /**
   * Lets go of the file, to which everything was written.
   *
   * @returns a promise that resolves when it is durable and closed; rejects with VarveError `IO`, `NO_SPACE`
   */
  finish(): Promise<void> {
    const file = this.#file;
    assert(file !== undefined && this.#used === 0, 'what is finished was written');
    this.#file = undefined;
    return file.finish();
  }

  /** Lets go of the file as it is, if there is one. */
  async abandon(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.abandon();
  }

  /** So many bytes were put where the end is. */
  took(bytes: number): void {
    this.#used += bytes;
  }

  /** Appends bytes that lie elsewhere, and continues a checksum over them. */
  append(bytes: Uint8Array, before: number): number {
    const { kernels, u8 } = this.#memory;
    let crc = before;
    for (let done = 0; done < bytes.length; ) {
      if (this.isFull) this.flush();
      const piece = bytes.subarray(done, done + this.#bufferBytes + BLOCK_ROOM - this.#used);
      u8.set(piece, this.end);
      crc = kernels.crc32c(this.end, piece.length, crc);
      this.#used += piece.length;
      done += piece.length;
    }
    return crc;
  }

  /** Appends a value that is not small, and continues a checksum over it. */
  appendValue(value: Span | StreamedValue, head: number): number {
    const { kernels } = this.#memory;
    let crc = head;
    for (let done = 0; done < value.bytes; ) {
      this.flush();
      const bytes = Math.min(this.#bufferBytes, value.bytes - done);
      if ('address' in value) {
        crc = kernels.crc32c(value.address + done, bytes, crc);
        this.write(value.address + done, bytes);
      } else {
        value.read(this.end, done, bytes);
        crc = kernels.crc32c(this.end, bytes, crc);
        this.took(bytes);
      }
      done += bytes;
    }
    if (!('address' in value)) value.verify();
    return crc;
  }

  /** Reads a value that is not to be written, and checks it. */
  readThrough(value: StreamedValue): void {
    this.flush();
    for (let done = 0; done < value.bytes; done += this.#bufferBytes)
      value.read(this.end, done, Math.min(this.#bufferBytes, value.bytes - done));
    value.verify();
  }

  /** Appends a block that lies elsewhere, with its trailer. */
  appendBlock(bytes: Uint8Array): Handle {
    const position = this.bytes;
    this.seal(this.append(bytes, 0));
    return { position, bytes: bytes.length + BLOCK_TRAILER_BYTES };
  }

  /** Appends the trailer of a block, of whose bytes the checksum is known. */
  seal(crc: number): void {
    const whole = this.append(Uint8Array.of(CODEC_NONE), crc);
    const trailer = new Uint8Array(4);
    new DataView(trailer.buffer).setInt32(0, whole, true);
    this.append(trailer, 0);
  }

  /** Writes what waits. */
  flush(): void {
    const bytes = this.#used;
    if (bytes === 0) return;
    this.#used = 0;
    this.write(this.#address, bytes);
  }

  /** Writes bytes as they lie in memory; nothing may wait. */
  write(address: number, bytes: number): void {
    assert(this.#file !== undefined && this.#used === 0, 'bytes are written in order, to a file');
    this.#file.append(this.#memory.buffer(address, bytes));
    this.#position += bytes;
    this.#onWritten(bytes);
  }
}
