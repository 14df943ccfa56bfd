/**
 * The digests of an open log: made one after the other, behind the sealing of segments, and read again by who
 * compares.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { joinPath } from '../vfs/vfs.ts';
import { type Digest, type DigestAlgorithm, decodeDigest, encodeDigest } from './digest.ts';
import { DIGEST_TEMPORARY_FILE, segmentFileName } from './names.ts';
import type { Segment, SegmentContext } from './segment.ts';
import { readWhole, replaceFile } from './whole-file.ts';
import type { LogWork } from './work.ts';

export interface DigestsOptions {
  context: SegmentContext;
  work: LogWork;
  /** None: no digests are made. */
  algorithm: DigestAlgorithm | 'none';
  /** One could not be made; it will be missing. */
  onBackgroundError: (error: unknown) => void;
}

export class Digests {
  readonly #parts: DigestsOptions;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: DigestsOptions) {
    this.#parts = parts;
  }

  /** Removes what a crash may have left of one that was being written. */
  async start(): Promise<void> {
    const { algorithm, context } = this.#parts;
    if (algorithm !== 'none') await context.vfs.remove(joinPath(context.directory, DIGEST_TEMPORARY_FILE));
  }

  /**
   * Has the digest of a segment made, behind those that were asked for before. The segment must be sealed, its
   * bytes synced and known to be whole.
   */
  add(segment: Segment): void {
    const { algorithm, onBackgroundError } = this.#parts;
    if (algorithm === 'none') return;
    this.#writing = this.#writing.then(() => this.#write(segment, algorithm)).catch(onBackgroundError);
    segment.keepUntil(this.#writing);
  }

  /** Removes the digests of segments that are about to be replaced. When it returns, that is durable. */
  async forget(segments: readonly Segment[], syncDir: () => Promise<void>): Promise<void> {
    await this.#writing;
    const { vfs } = this.#parts.context;
    let isAny = false;
    for (const segment of segments) {
      if ((await vfs.stat(segment.pathOf('digest'))) === undefined) continue;
      await vfs.remove(segment.pathOf('digest'));
      isAny = true;
    }
    if (isAny) await syncDir();
  }

  /** Waits until none is being made. */
  async settle(): Promise<void> {
    await this.#writing;
  }

  async #write(segment: Segment, algorithm: DigestAlgorithm): Promise<void> {
    if (segment.isLeaving) return;
    const { context, work } = this.#parts;
    const { memory, vfs, directory } = context;
    const { baseOffset, bytes, path } = segment;
    const digest = await work.digestFile({ path, bytes, algorithm }, vfs);
    // Whoever removes it waits for this: nothing is left behind.
    if (digest === undefined || segment.isLeaving) return;
    const encoded = encodeDigest(memory, { algorithm, baseOffset, bytes, digest });
    await replaceFile(vfs, directory, segmentFileName(baseOffset, 'digest'), DIGEST_TEMPORARY_FILE, encoded);
  }
}

/** What the digest of a segment says; `damaged` where it says nothing or cannot be read, undefined where there is none. */
export async function readDigest(
  { memory, vfs, directory }: SegmentContext,
  baseOffset: number,
): Promise<Digest | 'damaged' | undefined> {
  let encoded: Uint8Array | undefined;
  try {
    encoded = await readWhole(vfs, joinPath(directory, segmentFileName(baseOffset, 'digest')));
  } catch (error) {
    if (isVarveError(error, 'IO')) return 'damaged';
    throw error;
  }
  if (encoded === undefined) return undefined;
  const digest = decodeDigest(memory, encoded);
  return digest === undefined || digest.baseOffset !== baseOffset ? 'damaged' : digest;
}
