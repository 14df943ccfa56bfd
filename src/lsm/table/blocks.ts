/**
 * Reading the blocks of one table: from the file into memory, checked and expanded. Everything that reads a table
 * reads it through this, so that what is damaged is told in the same words.
 *
 * @module
 */

import { VarveError } from '../../errors.ts';
import type { MemoryView } from '../../memory/memory.ts';
import { BLOCK_TRAILER_BYTES } from '../../memory/table-layout.ts';
import type { VfsFile } from '../../vfs/vfs.ts';
import { CODEC_NONE, codecName, expandBlock, expandedBytes } from './codecs.ts';
import type { Handle } from './format.ts';

/** The error of a block whose bytes are not what was written. */
export function damagedBlock(file: string, position: number, reason: string): VarveError {
  const message = `the block at position ${position} of ${file} is damaged: ${reason}`;
  return new VarveError('CORRUPT', message, { file, position });
}

/** How a stored block lies in memory after it was checked. */
export interface StoredBlock {
  codec: number;
  /** Without the trailer. */
  bytes: number;
}

/**
 * Reads a block as it was stored to an address, and checks it.
 *
 * @param address room for all of it, trailer included
 * @throws VarveError `CORRUPT`, `IO`
 */
export function readStored(memory: MemoryView, file: VfsFile, handle: Handle, address: number): StoredBlock {
  const { position, bytes } = handle;
  if (bytes <= BLOCK_TRAILER_BYTES) throw damagedBlock(file.path, position, 'it has no bytes');
  const read = file.readSync(memory.buffer(address, bytes), position);
  if (read < bytes)
    throw damagedBlock(file.path, position, `the file ends after ${read} of its ${bytes} bytes`);
  const codec = memory.kernels.openBlock(address, bytes);
  if (codec < 0) throw damagedBlock(file.path, position, 'its checksum is wrong');
  if (codec === 0) throw damagedBlock(file.path, position, 'it is compressed in no way');
  return { codec, bytes: bytes - BLOCK_TRAILER_BYTES };
}

/**
 * How many bytes a stored block has when it is expanded.
 *
 * @throws VarveError `CORRUPT` where it says what cannot be
 */
export function bytesExpanded(
  memory: MemoryView,
  file: VfsFile,
  handle: Handle,
  address: number,
  { codec, bytes }: StoredBlock,
): number {
  if (codec === CODEC_NONE) return bytes;
  const length = expandedBytes(memory.buffer(address, bytes));
  if (length !== undefined) return length;
  throw damagedBlock(file.path, handle.position, `it does not expand (${codecName(codec)})`);
}

/** Expands a stored block, which is compressed, to where there is room for it. */
export function expandTo(
  memory: MemoryView,
  file: VfsFile,
  handle: Handle,
  address: number,
  { codec, bytes }: StoredBlock,
  to: number,
): void {
  memory.u8.set(expandBlock(codec, memory.buffer(address, bytes), file.path, handle.position), to);
}

/**
 * Reads a block that is none of data into private memory.
 *
 * @param scratch room for `scratchBytes`; a larger block is checked piece by piece
 */
export function readPrivate(
  memory: MemoryView,
  file: VfsFile,
  { position, bytes }: Handle,
  scratch: number,
  scratchBytes: number,
): Uint8Array {
  if (bytes <= BLOCK_TRAILER_BYTES) throw damagedBlock(file.path, position, 'it has no bytes');
  const copy = new Uint8Array(bytes);
  let crc = 0;
  for (let done = 0; done < bytes; ) {
    const piece = Math.min(scratchBytes, bytes - done);
    const read = file.readSync(memory.buffer(scratch, piece), position + done);
    if (read < piece) throw damagedBlock(file.path, position, 'the file ends inside');
    copy.set(memory.u8.subarray(scratch, scratch + piece), done);
    const covered = Math.min(piece, Math.max(0, bytes - BLOCK_TRAILER_BYTES + 1 - done));
    crc = memory.kernels.crc32c(scratch, covered, crc);
    done += piece;
  }
  const stored = new DataView(copy.buffer).getInt32(bytes - BLOCK_TRAILER_BYTES + 1, true);
  if (stored !== crc) throw damagedBlock(file.path, position, 'its checksum is wrong');
  const codec = copy[bytes - BLOCK_TRAILER_BYTES];
  if (codec !== CODEC_NONE) throw damagedBlock(file.path, position, 'it must not be compressed');
  return copy.subarray(0, bytes - BLOCK_TRAILER_BYTES);
}
