/**
 * A journal beside a store: entries that were handed over by somebody who cannot wait are in it, in the page cache of
 * the operating system, when the call returns; so they outlive the process, however it ends. From there the batches
 * go to the store as they are; what a store has taken is cut off, and what it had not when a process ended is written
 * when it is opened the next time. Keys say when an entry arrived, so that one that is written twice is there once.
 *
 *     journal-0, journal-1    records, end to end
 *
 *     record   bytes u32 | FNV-1a u32 of what follows | operations as in the write-ahead log, without their format
 *
 * Little-endian. One file is written to until it is large; then the other, as soon as the store has all of that.
 * What ends a file and is no whole record was being written when the process died.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { joinPath, type Vfs, type VfsFile } from '../vfs/vfs.ts';
import { fnv1a } from './format.ts';

const NAMES = ['journal-0', 'journal-1'] as const;
const HEAD_BYTES = 8;
const ROOM_BYTES = 64 * 1024;
/** A file that has so many bytes is changed for the other. */
const FILE_BYTES = 1024 * 1024;

/** Where both files end, and how often each was cut before. */
type JournalPlace = readonly { end: number; cuts: number }[];

export class Journal {
  readonly #vfs: Vfs;
  readonly #directory: string;
  readonly #files: readonly [VfsFile, VfsFile];
  #room: Buffer = Buffer.allocUnsafe(ROOM_BYTES);
  #current = 0;
  /** Where the next record goes, and up to where the store has what was written before, by file. */
  readonly #ends: [number, number] = [0, 0];
  readonly #taken: [number, number] = [0, 0];
  readonly #cuts: [number, number] = [0, 0];
  #isCutting = false;

  private constructor(vfs: Vfs, directory: string, files: readonly [VfsFile, VfsFile]) {
    this.#vfs = vfs;
    this.#directory = directory;
    this.#files = files;
  }

  /**
   * Makes an empty journal in the directory of a store's tree. What was in it before must be in the store.
   *
   * @throws VarveError `IO`, `NO_SPACE`
   */
  static async create(vfs: Vfs, directory: string): Promise<Journal> {
    await removeJournals(vfs, directory);
    const first = await vfs.open(joinPath(directory, NAMES[0]), 'create');
    try {
      const second = await vfs.open(joinPath(directory, NAMES[1]), 'create');
      await vfs.syncDir(directory);
      return new Journal(vfs, directory, [first, second]);
    } catch (error) {
      await first.close();
      throw error;
    }
  }

  /**
   * Writes a record. When this returns, it outlives the process.
   *
   * @param bytes the buffer of an encoder, of which the record is a part
   * @throws VarveError `NO_SPACE`, `IO`
   */
  append(bytes: Buffer, from: number, to: number): void {
    const length = to - from;
    if (HEAD_BYTES + length > this.#room.length) this.#room = Buffer.allocUnsafe(2 * (HEAD_BYTES + length));
    const room = this.#room;
    room.writeUInt32LE(length, 0);
    room.writeUInt32LE(fnv1a(bytes, from, to), 4);
    bytes.copy(room, HEAD_BYTES, from, to);
    this.#turn();
    const file = this.#current;
    const at = this.#ends[file] as number;
    (this.#files[file] as VfsFile).writeSync(room.subarray(0, HEAD_BYTES + length), at);
    this.#ends[file] = at + HEAD_BYTES + length;
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
    for (const file of this.#files) await file.close();
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

/**
 * What is left of the journal of a store, record by record, each as bytes of operations without their format.
 *
 * @throws VarveError `IO`
 */
export async function* readJournals(vfs: Vfs, directory: string): AsyncGenerator<Buffer, void, undefined> {
  for (const name of NAMES) {
    const path = joinPath(directory, name);
    const stat = await vfs.stat(path);
    if (stat === undefined || stat.bytes === 0) continue;
    const file = await vfs.open(path, 'read');
    try {
      yield* readRecords(file, stat.bytes);
    } finally {
      await file.close();
    }
  }
}

async function* readRecords(file: VfsFile, bytes: number): AsyncGenerator<Buffer, void, undefined> {
  const head = Buffer.alloc(HEAD_BYTES);
  for (let at = 0; at + HEAD_BYTES <= bytes; ) {
    await file.read(head, at);
    const length = head.readUInt32LE(0);
    if (length === 0 || at + HEAD_BYTES + length > bytes) return;
    const record = Buffer.alloc(length);
    const read = await file.read(record, at + HEAD_BYTES);
    if (read < length)
      throw new VarveError('IO', `${file.path} ended while it was read`, { file: file.path });
    if (fnv1a(record, 0, length) !== head.readUInt32LE(4)) return;
    yield record;
    at += HEAD_BYTES + length;
  }
}

/** Removes what is left of the journal of a store. */
export async function removeJournals(vfs: Vfs, directory: string): Promise<void> {
  for (const name of NAMES) await vfs.remove(joinPath(directory, name));
  await vfs.syncDir(directory);
}
