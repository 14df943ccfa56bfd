/**
 * What a text is, seen from its first bytes: compressed, in which encoding, or text as it is. Names are not
 * looked at, since they may be wrong.
 *
 *     1f 8b                gzip (RFC 1952)            ff fe    UTF-16, little-endian
 *     28 b5 2f fd          Zstandard (RFC 8878)       fe ff    UTF-16, big-endian
 *     5x 2a 4d 18          the same                   ef bb bf UTF-8
 *     42 5a 68             bzip2
 *     fd 37 7a 58 5a 00    xz
 *
 * @module
 */

/** How characters are bytes. */
export type TextEncoding = 'utf-8' | 'latin1' | 'utf-16le' | 'utf-16be';

export const TEXT_ENCODINGS: readonly TextEncoding[] = ['utf-8', 'latin1', 'utf-16le', 'utf-16be'];

export type Compression = 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** What the first bytes say. */
export type Recognized =
  | { kind: 'compressed'; compression: Compression }
  /** Characters that become UTF-8 on the way, behind a mark of so many bytes. */
  | { kind: 'encoded'; encoding: Exclude<TextEncoding, 'utf-8'>; markBytes: number }
  | { kind: 'plain'; markBytes: number };

const COMPRESSIONS: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  // A frame to be passed over, which some programs put before the others (0x50 to 0x5f).
  ...Array.from({ length: 16 }, (_, i) => ['zstd', [0x50 + i, 0x2a, 0x4d, 0x18]] as const),
  ['bzip2', [0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

const MARKS: readonly (readonly [TextEncoding, readonly number[]])[] = [
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
  ['utf-8', [0xef, 0xbb, 0xbf]],
];

/**
 * @param header the first bytes, eight where there are so many
 * @param encoding what the caller knows; then a mark counts only if it is the one of that encoding
 */
export function recognize(header: Uint8Array, encoding: TextEncoding | undefined): Recognized {
  for (const [compression, magic] of COMPRESSIONS) {
    if (startsWith(header, magic)) return { kind: 'compressed', compression };
  }
  const mark = MARKS.find(
    ([marked, bytes]) => (encoding === undefined || encoding === marked) && startsWith(header, bytes),
  );
  const found = encoding ?? mark?.[0] ?? 'utf-8';
  const markBytes = mark?.[1].length ?? 0;
  return found === 'utf-8' ? { kind: 'plain', markBytes } : { kind: 'encoded', encoding: found, markBytes };
}

/** Whether more bytes could make these few the beginning of something that is recognized. */
export function mayBecomeMore(header: Uint8Array): boolean {
  const known = [...COMPRESSIONS, ...MARKS].map(([, bytes]) => bytes);
  return known.some((bytes) => header.length < bytes.length && header.every((byte, i) => byte === bytes[i]));
}

function startsWith(header: Uint8Array, bytes: readonly number[]): boolean {
  return header.length >= bytes.length && bytes.every((byte, i) => header[i] === byte);
}
