/**
 * What rot must never cost: bytes. What leaves a log lies in quarantine afterwards.
 *
 * @module
 */

import type { FileTree } from '../kit/trees.ts';
import type { Site } from './rot-site.ts';

/**
 * Checks that every byte of a log that was there is still there: in its place or in quarantine.
 *
 * @throws Error that names the file
 */
export function checkKept(site: Site, before: FileTree, after: FileTree): void {
  const pieces = [...after]
    .filter(([path]) => path.includes('/quarantine/'))
    .map(([, bytes]) => Buffer.from(bytes));
  // Records that had been removed may go with their segment.
  const first = site.batches.find(({ lastOffset }) => lastOffset >= site.firstOffset);
  for (const [path, bytes] of before) {
    const isQuarantine = path.includes('/quarantine/');
    if (!path.endsWith('.log') && !isQuarantine) continue;
    const now = after.get(path) ?? new Uint8Array();
    const length = Math.min(now.length, bytes.length);
    if (Buffer.compare(now.subarray(0, length), bytes.subarray(0, length)) !== 0)
      throw new Error(`${path} has other bytes`);
    if (path === first?.file && bytes.length < first.position + first.size) continue;
    const removed = path === first?.file && now.length === 0 ? first.position : length;
    const isKept = (piece: Buffer): boolean =>
      piece.length >= bytes.length - removed && piece.equals(bytes.subarray(bytes.length - piece.length));
    if (!bytes.subarray(length).every((byte) => byte === 0) && (isQuarantine || !pieces.some(isKept)))
      throw new Error(`${bytes.length - length} bytes of ${path} are gone`);
  }
}
