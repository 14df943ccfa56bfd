/** The words that log formats have for a level, mapped to one scale. */

import {
  LEVEL_DEBUG,
  LEVEL_ERROR,
  LEVEL_FATAL,
  LEVEL_INFO,
  LEVEL_NOTICE,
  LEVEL_OTHER,
  LEVEL_TRACE,
  LEVEL_WARN,
} from '../src/memory/layout';

// The words as they lie in memory, in lower case: the first letter is the lowest byte.
// @ts-ignore: decorator
@inline const TRACE: u64 = 0x6563617274;
// @ts-ignore: decorator
@inline const DEBUG: u64 = 0x6775626564;
// @ts-ignore: decorator
@inline const INFO: u64 = 0x6f666e69;
// @ts-ignore: decorator
@inline const NOTICE: u64 = 0x656369746f6e;
// @ts-ignore: decorator
@inline const WARN: u64 = 0x6e726177;
// @ts-ignore: decorator
@inline const WARNING: u64 = 0x676e696e726177;
// @ts-ignore: decorator
@inline const ERR: u64 = 0x727265;
// @ts-ignore: decorator
@inline const ERROR: u64 = 0x726f727265;
// @ts-ignore: decorator
@inline const SEVERE: u64 = 0x657265766573;
// @ts-ignore: decorator
@inline const FATAL: u64 = 0x6c61746166;
// @ts-ignore: decorator
@inline const CRIT: u64 = 0x74697263;
// @ts-ignore: decorator
@inline const CRITICAL: u64 = 0x6c61636974697263;
// @ts-ignore: decorator
@inline const ALERT: u64 = 0x7472656c61;
// @ts-ignore: decorator
@inline const EMERG: u64 = 0x6772656d65;

/**
 * The code of a level, whatever the case of its letters; `LEVEL_OTHER` where the word is not known.
 *
 * @param word the eight bytes from its first on
 * @param length how many of them it has; a word of more than eight bytes is not known
 */
// @ts-ignore: decorator
@inline
export function levelCode(word: u64, length: u32): i32 {
  if (length == 0 || length > 8) return LEVEL_OTHER;
  // Setting bit 5 makes letters lower case, and makes a letter of nothing that is none.
  const lower = (word | 0x2020202020202020) & ((<u64>-1) >> (64 - (length << 3)));
  if (lower == INFO) return LEVEL_INFO;
  if (lower == WARN || lower == WARNING) return LEVEL_WARN;
  if (lower == ERROR || lower == ERR || lower == SEVERE) return LEVEL_ERROR;
  if (lower == DEBUG) return LEVEL_DEBUG;
  if (lower == TRACE) return LEVEL_TRACE;
  if (lower == NOTICE) return LEVEL_NOTICE;
  if (lower == FATAL || lower == CRIT || lower == CRITICAL || lower == ALERT || lower == EMERG) return LEVEL_FATAL;
  return LEVEL_OTHER;
}
