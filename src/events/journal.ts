/**
 * A journal beside a store: entries that were handed over by somebody who cannot wait are in it, in the page cache of
 * the operating system, when the call returns; so they outlive the process, however it ends. From there the batches
 * go to the store as they are; what a store has taken is cut off, and what it had not when a process ended is written
 * when it is opened the next time. Keys say when an entry arrived, so that one that is written twice is there once.
 *
 *     journal-0, journal-1    records, end to end
 *
 *     0         4         8           12        16         20
 *     +---------+---------+-----------+---------+----------+------------------------------------------------------+
 *     |  magic  | number  | position  |  bytes  | checksum | operations as in the write-ahead log, without their  |
 *     |   u32   |   u32   |    u32    |   u32   |   u32    | format: puts into the tree of the store              |
 *     +---------+---------+-----------+---------+----------+------------------------------------------------------+
 *
 * Little-endian. Records are numbered over both files, so that it is seen where one is missing. Each says where in the
 * file it lies, so that nothing inside an entry is taken for one. The checksum is CRC-32C of what comes before it and
 * what follows it. One file is written to until it is large; then the other, as soon as the store has all of that.
 * What was being written when a process died ends the file, and is no whole record.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { joinPath, type Vfs, type VfsFile } from '../vfs/vfs.ts';

export const JOURNAL_NAMES = ['journal-0', 'journal-1'] as const;
/** `varv`, backward, with the highest bit set: what no text has. */
export const JOURNAL_MAGIC = 0xf6726176;
export const JOURNAL_NUMBER = 4;
export const JOURNAL_POSITION = 8;
export const JOURNAL_BYTES = 12;
export const JOURNAL_CHECKSUM = 16;
export const JOURNAL_HEAD_BYTES = 20;

const ROOM_BYTES = 128 * 1024;
const WORD_BYTES = 8;
/** More than this goes in pieces. */
const PIECE_BYTES: number = ROOM_BYTES - 64;
/** A file that has so many bytes is changed for the other. */
const FILE_BYTES = 1024 * 1024;
const OWNER = 'journal';

/** Where both files end, and how often each was cut before. */
type JournalPlace = readonly { end: number; cuts: number }[];

export class Journal {
  readonly #vfs: Vfs;
  readonly #memory: Memory;
  readonly #directory: string;
  readonly #files: readonly [VfsFile, VfsFile];
  readonly #room: Slab;
  #number = 0;
  #current = 0;
  /** Where the next record goes, and up to where the store has what was written before, by file. */
  readonly #ends: [number, number] = [0, 0];
  readonly #taken: [number, number] = [0, 0];
  readonly #cuts: [number, number] = [0, 0];
  #isCutting = false;

  private constructor(
    vfs: Vfs,
    memory: Memory,
    directory: string,
    files: readonly [VfsFile, VfsFile],
    room: Slab,
  ) {
    this.#vfs = vfs;
    this.#memory = memory;
    this.#directory = directory;
    this.#files = files;
    this.#room = room;
  }

  /**
   * Makes an empty journal in the directory of a store's tree. What was in it before must be in the store.
   *
   * @throws VarveError `IO`, `NO_SPACE`, `NO_MEMORY`
   */
  static async create(vfs: Vfs, memory: Memory, directory: string): Promise<Journal> {
    const room = memory.slabs.allocate(ROOM_BYTES, OWNER);
    const files: VfsFile[] = [];
    try {
      await removeJournals(vfs, directory);
      for (const name of JOURNAL_NAMES) files.push(await vfs.open(joinPath(directory, name), 'create'));
      await vfs.syncDir(directory);
      return new Journal(vfs, memory, directory, files as [VfsFile, VfsFile], room);
    } catch (error) {
      room.release();
      for (const file of files) await file.close().catch(() => undefined);
      throw error;
    }
  }

  /**
   * Writes a record. When this returns, it outlives the process.
   *
   * @param bytes the buffer of an encoder, of which the record is a part
   * @throws VarveError `NO_SPACE`, `IO`: the next record takes its place
   */
  append(bytes: Uint8Array, from: number, to: number): void {
    this.#turn();
    const current = this.#current;
    const file = this.#files[current] as VfsFile;
    const at = this.#ends[current] as number;
    const { data, kernels, u8 } = this.#memory;
    // Both ends of what is copied into shared memory lie in a word alike: else it goes byte by byte.
    const address = this.#room.address + ((from - JOURNAL_HEAD_BYTES) & (WORD_BYTES - 1));
    data.setUint32(address, JOURNAL_MAGIC, true);
    data.setUint32(address + JOURNAL_NUMBER, this.#number, true);
    data.setUint32(address + JOURNAL_POSITION, at, true);
    data.setUint32(address + JOURNAL_BYTES, to - from, true);
    let crc = kernels.crc32c(address, JOURNAL_CHECKSUM, 0);
    const text = address + JOURNAL_HEAD_BYTES;
    const isWhole = to - from <= PIECE_BYTES;
    for (let done = from; done < to; done += PIECE_BYTES) {
      const piece = bytes.subarray(done, Math.min(to, done + PIECE_BYTES));
      u8.set(piece, text);
      crc = kernels.crc32c(text, piece.length, crc);
      // Without its head it is no record.
      if (!isWhole)
        file.writeSync(u8.subarray(text, text + piece.length), at + JOURNAL_HEAD_BYTES + done - from);
    }
    data.setUint32(address + JOURNAL_CHECKSUM, crc, true);
    file.writeSync(u8.subarray(address, isWhole ? text + to - from : text), at);
    this.#ends[current] = at + JOURNAL_HEAD_BYTES + to - from;
    this.#number = (this.#number + 1) >>> 0;
  }

  /** Where it ends now. */
  get place(): JournalPlace {
    return this.#ends.map((end, file) => ({ end, cuts: this.#cuts[file] as number }));
  }

  /** The store has all that was written before it ended there. */
  took(place: JournalPlace): void {
    for (const [file, { end, cuts }] of place.entries()) {
      if (cuts === this.#cuts[file]) this.#taken[file] = Math.max(this.#taken[file] as number, end);
    }
  }

  /** Removes it: the store has all of it. */
  async remove(): Promise<void> {
    await this.close();
    await removeJournals(this.#vfs, this.#directory);
  }

  /** Leaves it as it is, for whoever opens the store the next time. */
  async close(): Promise<void> {
    this.#room.release();
    // What fails for one must not leave the other open.
    const closed = await Promise.allSettled(this.#files.map((file) => file.close()));
    const failed = closed.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Changes to the other file when this one is large, and the store has what is in that. */
  #turn(): void {
    const { length } = this.#ends;
    const other = (this.#current + 1) % length;
    if ((this.#ends[this.#current] as number) < FILE_BYTES || this.#isCutting) return;
    if ((this.#taken[other] as number) < (this.#ends[other] as number)) return;
    if (this.#ends[other] === 0) {
      this.#current = other;
      return;
    }
    this.#isCutting = true;
    const cut = (this.#files[other] as VfsFile).truncate(0);
    void cut
      .then(() => {
        this.#ends[other] = this.#taken[other] = 0;
        this.#cuts[other] = (this.#cuts[other] as number) + 1;
      })
      .catch(() => undefined)
      .finally(() => {
        this.#isCutting = false;
      });
  }
}

/** Removes what is left of the journal of a store. */
export async function removeJournals(vfs: Vfs, directory: string): Promise<void> {
  for (const name of JOURNAL_NAMES) await vfs.remove(joinPath(directory, name));
  await vfs.syncDir(directory);
}
