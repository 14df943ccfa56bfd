/**
 * The `gaps` file: what a log is known to have lost. A repair that keeps what lies behind damage writes it
 * down here; from then on recovery and readers step over exactly these places, in every mode that tolerates
 * anything, and go on refusing all others. Without the file, or with a damaged one, the damage is unknown
 * again: nothing is skipped that was not noted.
 *
 *     0       4       6       8      12       16                      16 + 32 n
 *     +-------+-------+-------+-------+--------+------ - - - ------+
 *     | magic |version| zero  |CRC-32C| count  |      n gaps       |
 *     |"VRGP" |  u16  |  u16  |  u32  |  n u32 |   32 bytes each   |
 *     +-------+-------+-------+-------+--------+------ - - - ------+
 *
 * A gap, all big-endian; the positions are those of the bytes in the `.log` that are stepped over. They are
 * the same where it is not bytes that are lost but a whole file, or the end of one: then the gap lies behind
 * the segment.
 *
 *     0           8         12        16        24        32
 *     +-----------+---------+---------+---------+---------+
 *     |base offset|  start  |   end   |  first  |  last   |
 *     |of segment |   u32   |   u32   | offset  | offset  |
 *     +-----------+---------+---------+---------+---------+
 *
 * The checksum covers everything but itself.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { Memory } from '../memory/memory.ts';
import { readInt64, writeInt64 } from '../record/format.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { checksum } from './checkpoint.ts';
import { GAPS_FILE, GAPS_TEMPORARY_FILE } from './names.ts';
import { readWhole, replaceFile } from './whole-file.ts';

const MAGIC = 0x56524750;
const VERSION = 1;
const HEADER_BYTES = 16;
const GAP_BYTES = 32;
const CRC_POSITION = 8;

/** Offsets that are lost, and the bytes of a segment that stand in their place. */
export interface Gap {
  /** Base offset of the segment that it lies in, or behind. */
  baseOffset: number;
  start: number;
  /** The byte behind it; `start` where there are none. */
  end: number;
  firstOffset: number;
  lastOffset: number;
}

/** Encodes gaps. */
export function encodeGaps(memory: Memory, gaps: readonly Gap[]): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + gaps.length * GAP_BYTES);
  const data = new DataView(bytes.buffer);
  data.setUint32(0, MAGIC);
  data.setUint16(4, VERSION);
  data.setUint32(12, gaps.length);
  let at = HEADER_BYTES;
  for (const gap of gaps) {
    writeInt64(data, at, gap.baseOffset);
    data.setUint32(at + 8, gap.start);
    data.setUint32(at + 12, gap.end);
    writeInt64(data, at + 16, gap.firstOffset);
    writeInt64(data, at + 24, gap.lastOffset);
    at += GAP_BYTES;
  }
  data.setUint32(CRC_POSITION, checksum(memory, bytes));
  return bytes;
}

/**
 * Decodes gaps.
 *
 * @returns them, or undefined where the bytes are none
 * @throws VarveError `VERSION` where they are whole but of a newer format
 */
export function decodeGaps(memory: Memory, bytes: Uint8Array): Gap[] | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data.getUint32(0) !== MAGIC || data.getUint32(CRC_POSITION) !== checksum(memory, bytes))
    return undefined;
  const version = data.getUint16(4);
  if (version !== VERSION) {
    throw new VarveError('VERSION', `the gaps have format ${version}; this build knows ${VERSION}`);
  }
  if (bytes.length !== HEADER_BYTES + data.getUint32(12) * GAP_BYTES) return undefined;
  const gaps: Gap[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; at += GAP_BYTES) {
    gaps.push({
      baseOffset: readInt64(data, at),
      start: data.getUint32(at + 8),
      end: data.getUint32(at + 12),
      firstOffset: readInt64(data, at + 16),
      lastOffset: readInt64(data, at + 24),
    });
  }
  return gaps;
}

/** Reads the gaps of a log; none where there is no such file, undefined where it is damaged. */
export async function readGaps(memory: Memory, vfs: Vfs, directory: string): Promise<Gap[] | undefined> {
  const bytes = await readWhole(vfs, joinPath(directory, GAPS_FILE));
  return bytes === undefined ? [] : decodeGaps(memory, bytes);
}

/** Replaces the gaps of a log; when it returns, that is durable. Where there are none, there is no file. */
export async function writeGaps(
  memory: Memory,
  vfs: Vfs,
  directory: string,
  gaps: readonly Gap[],
): Promise<void> {
  if (gaps.length > 0) {
    await replaceFile(vfs, directory, GAPS_FILE, GAPS_TEMPORARY_FILE, encodeGaps(memory, gaps));
    return;
  }
  await vfs.remove(joinPath(directory, GAPS_FILE));
  await vfs.syncDir(directory);
}

/** The next known gap within a segment, from a position on. */
export function nextGap(gaps: readonly Gap[], baseOffset: number, position: number): Gap | undefined {
  let next: Gap | undefined;
  for (const gap of gaps) {
    const isAhead = gap.baseOffset === baseOffset && gap.end > gap.start && gap.start >= position;
    if (isAhead && gap.start < (next?.start ?? Infinity)) next = gap;
  }
  return next;
}

/** The known gap between a segment and the next one that is there. */
export function findGapBehind(
  gaps: readonly Gap[],
  baseOffset: number,
  nextOffset: number,
  nextBase: number,
): Gap | undefined {
  return gaps.find(
    (gap) =>
      gap.baseOffset === baseOffset &&
      gap.start === gap.end &&
      gap.firstOffset === nextOffset &&
      gap.lastOffset === nextBase - 1,
  );
}
