/**
 * Keys as the reference kernels see them: bytes, compared as unsigned numbers.
 *
 * @module
 */

/** Compares keys byte by byte. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return (a[i] as number) < (b[i] as number) ? -1 : 1;
  return Math.sign(a.length - b.length);
}

/** The first eight bytes of a key as a number. */
export function prefixOf(key: Uint8Array): bigint {
  let prefix = 0n;
  for (let i = 0; i < 8; i++) prefix = (prefix << 8n) | BigInt(key[i] ?? 0);
  return prefix;
}
