/**
 * Tags: 64 bits that say of a block, or of a table, what its entries are, so that a reader who looks for some can
 * pass over blocks that have none. What the bits of an entry are is said by how the tree is tagged:
 *
 *     events   entries of a store of log entries: bit (level), and bit 8 + (hash of the component); see `TAGS_EVENTS`
 *
 * A block that is passed over hides nothing only where no key is written twice: so it is with log entries.
 *
 * @module
 */

import { KIND_PUT } from '../../memory/lsm-layout.ts';
import { TAG_HASHES, TAG_LEVELS, TAGS_EVENTS, TAGS_NONE } from '../../memory/table-layout.ts';

export const ALL_TAGS = 0xffffffff;

/** How entries are tagged. */
export type Tagging = 'none' | 'events';

export const TAGGINGS: readonly Tagging[] = ['none', 'events'];

/** 64 bits, as two numbers of 32 that are not negative. */
export interface Tags {
  low: number;
  high: number;
}

/** What a table says of its log entries. */
export interface TableTags extends Tags {
  /** Bytes of keys and values, by level. */
  levelBytes: number[];
}

/** Bits of which an entry has one of each, to be wanted. */
export type TagFilter = readonly Tags[];

/** Whether something may have an entry that is wanted. */
export function mayMatch(low: number, high: number, filter: TagFilter): boolean {
  for (const wanted of filter) if (((low & wanted.low) | (high & wanted.high)) === 0) return false;
  return true;
}

/** Whether a table may have an entry that is wanted. */
export function isWanted({ tags }: { tags?: TableTags }, filter: TagFilter | undefined): boolean {
  return tags === undefined || filter === undefined || mayMatch(tags.low, tags.high, filter);
}

/** What the kernels know a tagging by. */
export function taggingCode(tagging: Tagging): number {
  return tagging === 'events' ? TAGS_EVENTS : TAGS_NONE;
}

/** The tags of a log entry. */
export function tagsOf(kind: number, value: Uint8Array): Tags {
  const [level = TAG_LEVELS, hash = TAG_HASHES] = value;
  if (kind !== KIND_PUT || level >= TAG_LEVELS || hash >= TAG_HASHES)
    return { low: ALL_TAGS, high: ALL_TAGS };
  const bit = TAG_LEVELS + hash;
  const low = (1 << level) | (bit < 32 ? 1 << bit : 0);
  return { low: low >>> 0, high: bit < 32 ? 0 : (1 << (bit - 32)) >>> 0 };
}
