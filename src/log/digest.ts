/**
 * The digest of a sealed segment, in a file beside it: `<base offset>.digest`. The checksums of batches cover
 * neither their base offsets nor their synced positions, nor that no batch was put in the place of another; a
 * digest covers every byte of the file. It is written when a segment is sealed, and is compared by `verify`
 * and by the scrubber.
 *
 *     0       4       6           7        8        12      16        24        32
 *     +-------+-------+-----------+--------+--------+-------+---------+---------+- - - - -+
 *     | magic |version| algorithm | length | CRC-32C| zero  |  base   | length  | digest  |
 *     |"VRDG" | u16: 1|    u8     |  u8 n  |  u32   |  u32  | offset  |of .log  | n bytes |
 *     +-------+-------+-----------+--------+--------+-------+---------+---------+- - - - -+
 *
 * All integers are big-endian. The checksum covers everything but itself. Algorithm: 1 CRC-32C, 2 CRC-64/XZ
 * (big-endian), 3 SHA-256. Like an index it is derived: without it, or with one that is damaged itself, it is
 * made again, after every batch has been checked.
 *
 * @module
 */

import { createHash } from 'node:crypto';
import type { Memory, MemoryView } from '../memory/memory.ts';
import { readInt64, writeInt64 } from '../record/format.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { Crc64 } from './crc64.ts';

export type DigestAlgorithm = 'crc32c' | 'crc64' | 'sha256';

/** By their numbers, from 1 on. */
export const DIGEST_ALGORITHMS: readonly DigestAlgorithm[] = ['crc32c', 'crc64', 'sha256'];

const DIGEST_BYTES: Readonly<Record<DigestAlgorithm, number>> = { crc32c: 4, crc64: 8, sha256: 32 };
const MAGIC = 0x56524447;
const VERSION = 1;
const CRC_POSITION = 8;
const HEADER_BYTES = 32;

/** What is read at once. */
export const DIGEST_WORK_BYTES: number = 1024 * 1024;

/** What a `.digest` says. */
export interface Digest {
  algorithm: DigestAlgorithm;
  baseOffset: number;
  /** How long the `.log` was. */
  bytes: number;
  digest: Uint8Array;
}

/** Takes in bytes of the shared memory, and makes a digest of them. */
export interface DigestHash {
  update(address: number, bytes: number): void;
  digest(): Uint8Array;
}

/** Begins a digest. */
export function createDigestHash(memory: MemoryView, algorithm: DigestAlgorithm): DigestHash {
  if (algorithm === 'crc32c') {
    let crc = 0;
    return {
      update(address, bytes) {
        crc = memory.kernels.crc32c(address, bytes, crc);
      },
      digest() {
        const digest = new Uint8Array(4);
        new DataView(digest.buffer).setInt32(0, crc);
        return digest;
      },
    };
  }
  const hash = algorithm === 'crc64' ? new Crc64() : createHash('sha256');
  return {
    update(address, bytes) {
      hash.update(memory.buffer(address, bytes));
    },
    digest: () => new Uint8Array(hash.digest()),
  };
}

export interface DigestFileArgs {
  path: string;
  /** How much of the file, from its beginning. */
  bytes: number;
  algorithm: DigestAlgorithm;
}

/**
 * Makes the digest of a file.
 *
 * @param context `work` is `DIGEST_WORK_BYTES` of memory
 * @returns undefined where the file is shorter than it should be
 * @throws VarveError `NOT_FOUND`, `IO`
 */
export async function digestFile(
  { memory, work, vfs }: { memory: MemoryView; work: number; vfs: Vfs },
  { path, bytes, algorithm }: DigestFileArgs,
): Promise<Uint8Array | undefined> {
  const hash = createDigestHash(memory, algorithm);
  const file = await vfs.open(path, 'read');
  try {
    for (let at = 0; at < bytes; ) {
      const view = memory.buffer(work, Math.min(DIGEST_WORK_BYTES, bytes - at));
      const read = await file.read(view, at);
      if (read === 0) return undefined;
      hash.update(work, read);
      at += read;
    }
    return hash.digest();
  } finally {
    await file.close();
  }
}

/** Writes down what a `.digest` says. */
export function encodeDigest(memory: Memory, { algorithm, baseOffset, bytes, digest }: Digest): Uint8Array {
  const encoded = new Uint8Array(HEADER_BYTES + digest.length);
  const data = new DataView(encoded.buffer);
  data.setUint32(0, MAGIC);
  data.setUint16(4, VERSION);
  data.setUint8(6, DIGEST_ALGORITHMS.indexOf(algorithm) + 1);
  data.setUint8(7, digest.length);
  writeInt64(data, 16, baseOffset);
  writeInt64(data, 24, bytes);
  encoded.set(digest, HEADER_BYTES);
  data.setUint32(CRC_POSITION, checksumOf(memory, encoded));
  return encoded;
}

/** Reads what a `.digest` says; undefined where it is damaged, or of a version that is not known. */
export function decodeDigest(memory: Memory, encoded: Uint8Array): Digest | undefined {
  if (encoded.length < HEADER_BYTES) return undefined;
  const data = new DataView(encoded.buffer, encoded.byteOffset, encoded.length);
  if (data.getUint32(0) !== MAGIC || data.getUint16(4) !== VERSION) return undefined;
  const algorithm = DIGEST_ALGORITHMS[data.getUint8(6) - 1];
  if (algorithm === undefined || data.getUint8(7) !== DIGEST_BYTES[algorithm]) return undefined;
  if (encoded.length !== HEADER_BYTES + DIGEST_BYTES[algorithm]) return undefined;
  if (data.getUint32(CRC_POSITION) !== checksumOf(memory, encoded)) return undefined;
  return {
    algorithm,
    baseOffset: readInt64(data, 16),
    bytes: readInt64(data, 24),
    digest: encoded.slice(HEADER_BYTES),
  };
}

function checksumOf(memory: Memory, encoded: Uint8Array): number {
  const slab = memory.slabs.allocate(encoded.length, 'digest');
  try {
    memory.u8.set(encoded, slab.address);
    const before = memory.kernels.crc32c(slab.address, CRC_POSITION, 0);
    const rest = encoded.length - CRC_POSITION - 4;
    return memory.kernels.crc32c(slab.address + CRC_POSITION + 4, rest, before) >>> 0;
  } finally {
    slab.release();
  }
}
