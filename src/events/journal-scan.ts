/**
 * Reads what is left of the journal of a store. What is no whole record is stepped over, to the next place where one
 * begins; and it is told apart from a record that was being written when the process died, which can only be the last.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import { joinPath, type Vfs, type VfsFile } from '../vfs/vfs.ts';
import {
  JOURNAL_BYTES,
  JOURNAL_CHECKSUM,
  JOURNAL_HEAD_BYTES,
  JOURNAL_MAGIC,
  JOURNAL_NAMES,
  JOURNAL_NUMBER,
  JOURNAL_POSITION,
} from './journal.ts';

/** A part of a journal that is no whole record. */
export interface JournalDamage {
  file: string;
  position: number;
  bytes: number;
  /** How many records were lost with it, as far as that is known. */
  records: number | undefined;
}

/** What was found in a journal. */
export interface JournalSurvey {
  /** Whether there is any. */
  isThere: boolean;
  records: number;
  damage: JournalDamage[];
  /** What the last write had brought when the process died. */
  torn: JournalDamage | undefined;
}

/** A stretch that is no record, and the numbers of those before and behind it. */
interface Hole {
  path: string;
  from: number;
  to: number;
  before: number | undefined;
  after: number | undefined;
  /** What the head at its beginning says, where there is one. */
  number: number | undefined;
  /** Whether it goes to the end of the file. */
  isLast: boolean;
  isZero: boolean;
}

interface Scanned {
  holes: Hole[];
  first: number | undefined;
  last: number | undefined;
  records: number;
}

const WINDOW_BYTES = 256 * 1024;
/** No batch of operations has more. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024;
const SEARCH_BYTES = 16 * 1024;
const MAGIC_BYTES: Buffer = Buffer.alloc(4);
MAGIC_BYTES.writeUInt32LE(JOURNAL_MAGIC);

/**
 * Goes through a journal.
 *
 * @param directory of the tree of the store
 * @param take is given the operations of each record, without their format: a view until it has resolved. False where
 *   it cannot make anything of them, which makes it damage
 * @throws VarveError `IO`, `NO_MEMORY`, and what `take` throws
 */
export async function scanJournals(
  vfs: Vfs,
  memory: Memory,
  directory: string,
  take: (operations: Buffer) => Promise<boolean> | boolean,
): Promise<JournalSurvey> {
  const scans: Scanned[] = [];
  let isThere = false;
  for (const name of JOURNAL_NAMES) {
    const path = joinPath(directory, name);
    const stat = await vfs.stat(path);
    if (stat === undefined) continue;
    isThere = true;
    if (stat.bytes === 0) continue;
    const file = await vfs.open(path, 'read');
    const scratch = memory.slabs.allocate(WINDOW_BYTES, 'journal scan');
    try {
      scans.push(await new FileScan(file, memory, scratch.address, take).run());
    } finally {
      scratch.release();
      await file.close();
    }
  }
  return judge(scans, isThere);
}

/** Tells damage from what was being written when the process died. */
function judge(scans: readonly Scanned[], isThere: boolean): JournalSurvey {
  // The file with the highest numbers is the one that was written to. One of which nothing is whole has none.
  const ordered = [...scans].sort((a, b) => (a.last ?? -1) - (b.last ?? -1));
  const newest =
    ordered.filter(({ last }) => last !== undefined).at(-1) ?? (scans.length === 1 ? scans[0] : undefined);
  const survey: JournalSurvey = { isThere, records: 0, damage: [], torn: undefined };
  let before: number | undefined;
  for (const scan of ordered) {
    survey.records += scan.records;
    for (const hole of joined(scan.holes)) {
      const next = hole.after ?? (scan === newest ? undefined : newest?.first);
      const bytes = hole.to - hole.from;
      const records = countBetween(hole.before ?? before, next, bytes);
      const part = { file: hole.path, position: hole.from, bytes, records };
      if (hole.isLast && (scan === newest || hole.isZero)) survey.torn = part;
      else survey.damage.push(part);
    }
    before = scan.last ?? before;
  }
  return survey;
}

/** Holes that lie side by side are one; but the last may be a write that was torn, and those before it are not. */
function joined(holes: readonly Hole[]): Hole[] {
  const result: Hole[] = [];
  for (const hole of holes) {
    const before = result.at(-1);
    if (before?.to !== hole.from) result.push({ ...hole });
    else if (hole.isLast) {
      before.after = hole.number;
      result.push({ ...hole });
    } else Object.assign(before, { to: hole.to, after: hole.after, isZero: before.isZero && hole.isZero });
  }
  return result;
}

/** How many records are between two; undefined where that is not known, or cannot be. */
function countBetween(
  before: number | undefined,
  after: number | undefined,
  bytes: number,
): number | undefined {
  if (before === undefined || after === undefined) return undefined;
  const count = after - before - 1;
  return count >= 0 && count <= bytes / JOURNAL_HEAD_BYTES ? count : undefined;
}

/** Goes through one file. */
class FileScan {
  readonly #file: VfsFile;
  readonly #memory: Memory;
  readonly #scratch: number;
  readonly #take: (operations: Buffer) => Promise<boolean> | boolean;
  readonly #holes: Hole[] = [];
  #window: Buffer = Buffer.allocUnsafe(WINDOW_BYTES);
  #windowAt = 0;
  #windowBytes = 0;
  /** Whether the file ends with the window. */
  #isEnd = false;
  #first: number | undefined;
  #last: number | undefined;
  #records = 0;

  constructor(
    file: VfsFile,
    memory: Memory,
    scratch: number,
    take: (operations: Buffer) => Promise<boolean> | boolean,
  ) {
    this.#file = file;
    this.#memory = memory;
    this.#scratch = scratch;
    this.#take = take;
  }

  async run(): Promise<Scanned> {
    let at = 0;
    let hole = -1;
    for (;;) {
      const next = await this.#recordAt(at);
      if (next > at) {
        at = next;
        continue;
      }
      if ((await this.#bytesAt(at, 1)).length === 0) break;
      hole = at;
      at = await this.#findHead(at + 1);
      await this.#addHole(hole, at);
    }
    const last = this.#holes.at(-1);
    if (last !== undefined && last.to === at) last.isLast = true;
    return { holes: this.#holes, first: this.#first, last: this.#last, records: this.#records };
  }

  /** Takes the record at a position; returns where it ends, or the position where there is none. */
  async #recordAt(at: number): Promise<number> {
    const head = await this.#bytesAt(at, JOURNAL_HEAD_BYTES);
    if (!isHead(head, 0, at)) return at;
    const number = head.readUInt32LE(JOURNAL_NUMBER);
    const bytes = head.readUInt32LE(JOURNAL_BYTES);
    const checksum = head.readUInt32LE(JOURNAL_CHECKSUM);
    if (bytes === 0 || bytes > RECORD_BYTES_MAX) return at;
    const record = await this.#bytesAt(at, JOURNAL_HEAD_BYTES + bytes);
    if (record.length < JOURNAL_HEAD_BYTES + bytes) return at;
    const crc = this.#sum(
      record.subarray(JOURNAL_HEAD_BYTES),
      this.#sum(record.subarray(0, JOURNAL_CHECKSUM), 0),
    );
    if (crc >>> 0 !== checksum) return at;
    if (!(await this.#take(record.subarray(JOURNAL_HEAD_BYTES)))) return at;
    this.#records++;
    this.#first ??= number;
    this.#last = number;
    const before = this.#holes.at(-1);
    if (before !== undefined) before.after ??= number;
    return at + JOURNAL_HEAD_BYTES + bytes;
  }

  /** The next position where a head says that it lies there; the end of the file where there is none. */
  async #findHead(from: number): Promise<number> {
    for (let at = from; ; ) {
      const bytes = await this.#bytesAt(at, SEARCH_BYTES);
      let found = bytes.indexOf(MAGIC_BYTES);
      while (found >= 0 && found + JOURNAL_HEAD_BYTES <= bytes.length && !isHead(bytes, found, at + found))
        found = bytes.indexOf(MAGIC_BYTES, found + 1);
      if (found >= 0 && found + JOURNAL_HEAD_BYTES <= bytes.length) return at + found;
      if (bytes.length < SEARCH_BYTES) return at + bytes.length;
      at += bytes.length - JOURNAL_HEAD_BYTES + 1;
    }
  }

  async #addHole(from: number, to: number): Promise<void> {
    let isZero = true;
    for (let at = from; at < to && isZero; at += WINDOW_BYTES) {
      const bytes = await this.#bytesAt(at, Math.min(WINDOW_BYTES, to - at));
      isZero = bytes.every((byte) => byte === 0);
    }
    const path = this.#file.path;
    const head = await this.#bytesAt(from, JOURNAL_HEAD_BYTES);
    const number = isHead(head, 0, from) ? head.readUInt32LE(JOURNAL_NUMBER) : undefined;
    this.#holes.push({ path, from, to, before: this.#last, after: undefined, number, isLast: false, isZero });
  }

  /** Bytes from a position on, as many as are asked for or there are: a view until the next call. */
  async #bytesAt(at: number, bytes: number): Promise<Buffer> {
    const end = this.#isEnd ? Number.POSITIVE_INFINITY : this.#windowAt + this.#windowBytes;
    if (at < this.#windowAt || at + bytes > end) {
      if (bytes > this.#window.length) this.#window = Buffer.allocUnsafe(2 ** Math.ceil(Math.log2(bytes)));
      this.#windowAt = at;
      this.#windowBytes = await this.#file.read(this.#window, at);
      this.#isEnd = this.#windowBytes < this.#window.length;
    }
    const from = Math.min(at - this.#windowAt, this.#windowBytes);
    return this.#window.subarray(from, Math.min(this.#windowBytes, from + bytes));
  }

  /** The checksum of bytes, which go through the shared memory in pieces. */
  #sum(bytes: Buffer, before: number): number {
    const { kernels, u8 } = this.#memory;
    let crc = before;
    for (let at = 0; at < bytes.length; at += WINDOW_BYTES) {
      const piece = bytes.subarray(at, at + WINDOW_BYTES);
      u8.set(piece, this.#scratch);
      crc = kernels.crc32c(this.#scratch, piece.length, crc);
    }
    return crc;
  }
}

/** Whether there is the head of a record that says of itself that it lies at a position. */
function isHead(bytes: Buffer, at: number, position: number): boolean {
  return (
    bytes.length >= at + JOURNAL_HEAD_BYTES &&
    bytes.readUInt32LE(at) === JOURNAL_MAGIC &&
    bytes.readUInt32LE(at + JOURNAL_POSITION) === position % 2 ** 32
  );
}
