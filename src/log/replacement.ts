/**
 * Puts a rewritten segment in the place of others while the log is open: the steps of swap.ts, and what readers see
 * of them.
 *
 * @module
 */

import type { SegmentState } from './checkpoint.ts';
import type { Digests } from './digests.ts';
import { CLEANED_SUFFIX, DELETED_SUFFIX, SWAP_SUFFIX } from './names.ts';
import { Segment, type SegmentContext } from './segment.ts';
import { finishSwap, suffixedPath } from './swap.ts';

export interface ReplacementParts {
  context: SegmentContext;
  segments: {
    list: Segment[];
    checkpoint: (isClean: boolean) => Promise<void>;
  };
  /** Digests are of bytes: those of the old segments go first, and the new one gets its own. */
  digests: Digests;
  /** Makes the names in the directory durable; a failure is fatal. */
  syncDir: () => Promise<void>;
  /** These segments are not to be looked at for files that can be closed. */
  forget: (segments: readonly Segment[]) => void;
  /** The switch was begun and taken back: the file of the new segment is still there. */
  onTakenBack: (path: string) => void;
  /** The file of an old segment, which is to be removed. */
  onOld: (path: string) => void;
  /** Files of old segments are being closed: giving back what they take is slow, too. */
  onRetiring: (retiring: Promise<void>) => void;
  onDropped: (segment: Segment) => void;
  onBackgroundError: (error: unknown) => void;
}

export class Replacement {
  readonly #parts: ReplacementParts;
  readonly #sources: readonly Segment[];
  readonly #segment: Segment;
  readonly #swapPath: string;

  constructor(parts: ReplacementParts, sources: readonly Segment[], state: SegmentState) {
    this.#parts = parts;
    this.#sources = sources;
    this.#segment = Segment.fromState(parts.context, state, true);
    this.#swapPath = suffixedPath(parts.context, state.baseOffset, SWAP_SUFFIX);
  }

  /** @returns the new segment, or undefined where the log has not got the others any more */
  async run(): Promise<Segment | undefined> {
    const { context, syncDir, digests } = this.#parts;
    await digests.forget(this.#sources, syncDir);
    if (!this.#areThere()) {
      this.#digestAgain();
      return undefined;
    }
    const { vfs } = context;
    const segment = this.#segment;
    // Who has pinned one must be able to read on whatever happens to its name.
    await this.#openPinned();
    await vfs.rename(suffixedPath(context, segment.baseOffset, CLEANED_SUFFIX), this.#swapPath);
    segment.swapPath = this.#swapPath;
    // As long as its name changes, it stays open.
    segment.pin();
    try {
      await syncDir();
      await segment.open();
      await this.#openPinned();
      this.#exchange(this.#sources, [segment]);
      await this.#takeIndexes();
      await this.#parts.segments.checkpoint(false);
    } catch (error) {
      await this.#goBack();
      throw error;
    }
    await this.#finish().catch(this.#parts.onBackgroundError);
    for (const source of this.#sources) {
      this.#parts.onRetiring(source.retire());
      this.#parts.onDropped(source);
    }
    digests.add(segment);
    await segment.unpin();
    return segment;
  }

  /** Whether the log has the segments, one behind the other, with nothing known to be lost in them. */
  #areThere(): boolean {
    const { list } = this.#parts.segments;
    const at = list.indexOf(this.#sources[0] as Segment);
    const isSame = at >= 0 && this.#sources.every((source, i) => list[at + i] === source);
    const isSettled = ({ isSealed, state, damaged, isSwap }: Segment): boolean =>
      isSealed && state !== undefined && damaged.length === 0 && !isSwap;
    const end = this.#sources.at(-1)?.nextOffset;
    return isSame && end === this.#segment.nextOffset && this.#sources.every(isSettled);
  }

  async #openPinned(): Promise<void> {
    const isShut = ({ isPinned, file }: Segment): boolean => isPinned && file === undefined;
    for (let shut = this.#sources.find(isShut); shut !== undefined; shut = this.#sources.find(isShut)) {
      await shut.open();
    }
  }

  #exchange(gone: readonly Segment[], come: readonly Segment[]): void {
    const { segments, forget } = this.#parts;
    const at = segments.list.indexOf(gone[0] as Segment);
    segments.list = [...segments.list.slice(0, at), ...come, ...segments.list.slice(at + gone.length)];
    forget(gone);
  }

  /** Gives the indexes their names; where that fails they are made again when they are needed. */
  async #takeIndexes(): Promise<void> {
    const { vfs } = this.#parts.context;
    for (const kind of ['index', 'timeindex'] as const) {
      const path = this.#segment.pathOf(kind);
      try {
        await vfs.remove(path);
        await vfs.rename(`${path}${CLEANED_SUFFIX}`, path);
      } catch (error) {
        this.#parts.onBackgroundError(error);
      }
    }
  }

  /** It cannot be made known that the others are gone: so they are not. */
  async #goBack(): Promise<void> {
    const { segments, onTakenBack } = this.#parts;
    const segment = this.#segment;
    if (segments.list.includes(segment)) this.#exchange([segment], this.#sources);
    // Not removed before something has made known that the old ones are there.
    onTakenBack(this.#swapPath);
    this.#digestAgain();
    await segment.retire();
    await segment.unpin();
  }

  /** The old segments stay: so do their digests, as far as those were right. */
  #digestAgain(): void {
    const { segments, digests } = this.#parts;
    for (const source of this.#sources) {
      if (segments.list.includes(source) && source.damaged.length === 0) digests.add(source);
    }
  }

  /** Removes the files of the others. Where that fails, opening the log goes on with it. */
  async #finish(): Promise<void> {
    const { context, syncDir } = this.#parts;
    const [, ...others] = this.#sources.map(({ baseOffset }) => baseOffset);
    await finishSwap(context, this.#segment.baseOffset, others, true, syncDir);
    this.#segment.swapPath = undefined;
    // Giving back what a large file takes is slow, and nobody has to wait for it.
    this.#parts.onOld(suffixedPath(context, this.#segment.baseOffset, DELETED_SUFFIX));
  }
}
