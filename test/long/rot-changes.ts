/**
 * What a disk can do to a database by itself: the changes that test/long/rot.ts makes.
 *
 * @module
 */

import { createRandom, type Random } from '../kit/random.ts';
import type { FileTree } from '../kit/trees.ts';
import type { Site } from './rot-site.ts';

export type Change =
  | { kind: 'flip'; file: string; position: number; mask: number }
  /** Other bytes in place of some: zeros, as file systems leave them, or rubbish. */
  | { kind: 'smash'; file: string; position: number; bytes: number; seed: number }
  | { kind: 'cut'; file: string; bytes: number }
  | { kind: 'delete'; file: string };

export function describeChange(change: Change): string {
  return JSON.stringify(change);
}

/** A tree with one change. */
export function changed(files: FileTree, change: Change): FileTree {
  const tree = new Map(files);
  const bytes = (tree.get(change.file) as Uint8Array).slice();
  if (change.kind === 'delete') tree.delete(change.file);
  else tree.set(change.file, change.kind === 'cut' ? bytes.subarray(0, change.bytes) : bytes);
  if (change.kind === 'flip') bytes[change.position] = (bytes[change.position] as number) ^ change.mask;
  if (change.kind === 'smash') {
    const rubbish = createRandom(change.seed).bytes(change.bytes);
    bytes.set(change.seed === 0 ? rubbish.fill(0) : rubbish, change.position);
  }
  return tree;
}

/** Every change of one kind: each byte, in one of its bits or in all; each length; each file. */
export function* changesOf(
  { files }: Site,
  bitsOf: (position: number) => readonly number[],
): Generator<Change> {
  for (const [file, bytes] of files) {
    yield { kind: 'delete', file };
    for (let position = 0; position < bytes.length; position++) {
      for (const bit of bitsOf(position)) yield { kind: 'flip', file, position, mask: 1 << bit };
    }
    for (let length = 0; length < bytes.length; length++) yield { kind: 'cut', file, bytes: length };
  }
}

/** Every change of one file: each byte in each of its bits, each length, and its absence. */
export function* changesOfFile({ files }: Site, file: string): Generator<Change> {
  const length = files.get(file)?.length ?? 0;
  yield { kind: 'delete', file };
  for (let position = 0; position < length; position++) {
    for (let bit = 0; bit < 8; bit++) yield { kind: 'flip', file, position, mask: 1 << bit };
  }
  for (let bytes = 0; bytes < length; bytes++) yield { kind: 'cut', file, bytes };
}

/** Damage from the end of each batch into the header of the next one, a byte further each time. */
export function* straddlesOf({ batches }: Site): Generator<Change> {
  for (const [i, { file, position }] of batches.entries()) {
    if (batches[i - 1]?.file !== file) continue;
    for (let into = 1; into <= 16; into++) {
      for (const seed of [0, into])
        yield { kind: 'smash', file, position: position - 8, bytes: 8 + into, seed };
    }
  }
}

/** Draws a change of some bytes at once. */
export function drawSmash({ files }: Site, random: Random): Change {
  const file = random.pick([...files.keys()]);
  const length = files.get(file)?.length ?? 0;
  const position = random.int(0, length - 1);
  const bytes = Math.min(length - position, random.pick([1, 2, 8, 64, 512, 4096]));
  return { kind: 'smash', file, position, bytes, seed: random.chance(0.3) ? 0 : random.int(1, 1e9) };
}
