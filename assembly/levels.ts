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

// @ts-ignore: decorator
@inline const PANIC: u64 = 0x63696e6170;
// @ts-ignore: decorator
@inline const FAILURE: u64 = 0x6572756c696166;
// @ts-ignore: decorator
@inline const VERBOSE: u64 = 0x65736f62726576;
// @ts-ignore: decorator
@inline const CONFIG: u64 = 0x6769666e6f63;
// @ts-ignore: decorator
@inline const FINE: u64 = 0x656e6966;
// @ts-ignore: decorator
@inline const FINER: u64 = 0x72656e6966;
// @ts-ignore: decorator
@inline const FINEST: u64 = 0x7473656e6966;
// @ts-ignore: decorator
@inline const INFORMAT: u64 = 0x74616d726f666e69;
// @ts-ignore: decorator
@inline const EMERGENC: u64 = 0x636e656772656d65;

/** The code of a level in any notation: a word, one letter, or a number. */
export function levelOf(at: usize, length: u32): i32 {
  if (length == 0) return LEVEL_OTHER;
  const word = load<u64>(at);
  const first = <u8>word;
  if (<u8>(first - 48) < 10) return numberedLevel(at, length);
  if (length == 1) return letterLevel(first | 32);
  const code = levelCode(word, length);
  if (code != LEVEL_OTHER) return code;
  const lower = word | 0x2020202020202020;
  if (length > 8) {
    if (lower == INFORMAT) return isRest(at, length, 11) || isRest(at, length, 13) ? LEVEL_INFO : LEVEL_OTHER;
    return lower == EMERGENC && length == 9 && (load<u8>(at, 8) | 32) == 0x79 ? LEVEL_FATAL : LEVEL_OTHER;
  }
  const whole = lower & ((<u64>-1) >> (64 - (length << 3)));
  if (whole == PANIC) return LEVEL_FATAL;
  if (whole == FAILURE) return LEVEL_ERROR;
  if (whole == CONFIG || whole == FINE) return LEVEL_DEBUG;
  if (whole == FINER || whole == FINEST || whole == VERBOSE) return LEVEL_TRACE;
  return LEVEL_OTHER;
}

/** Whether what follows `informat` is `ion` or `ional`. */
function isRest(at: usize, length: u32, wanted: u32): bool {
  if (length != wanted) return false;
  const rest = load<u64>(at, 8) | 0x2020202020202020;
  return wanted == 11 ? (rest & 0xffffff) == 0x6e6f69 : (rest & 0xffffffffff) == 0x6c616e6f69;
}

/** The letters that Android, klog and others have for a level. */
function letterLevel(letter: u8): i32 {
  switch (letter) {
    case 0x76: // v
    case 0x74: // t
      return LEVEL_TRACE;
    case 0x64: // d
      return LEVEL_DEBUG;
    case 0x69: // i
      return LEVEL_INFO;
    case 0x6e: // n
      return LEVEL_NOTICE;
    case 0x77: // w
      return LEVEL_WARN;
    case 0x65: // e
      return LEVEL_ERROR;
    case 0x66: // f
    case 0x63: // c
      return LEVEL_FATAL;
    default:
      return LEVEL_OTHER;
  }
}

/**
 * Up to 7 a severity of syslog; from 10 on a level of pino, bunyan and Python's logging, and those between;
 * from 100 on one of Monolog.
 */
function numberedLevel(at: usize, length: u32): i32 {
  let value = 0;
  for (let i: u32 = 0; i < length; i++) {
    const digit = <u32>load<u8>(at + i) - 48;
    if (digit > 9 || length > 3) return LEVEL_OTHER;
    value = value * 10 + <i32>digit;
  }
  if (value < 8) return severityLevel(value);
  if (value < 10) return LEVEL_OTHER;
  if (value < 100) {
    if (value < 20) return LEVEL_TRACE;
    if (value < 30) return LEVEL_DEBUG;
    if (value < 40) return LEVEL_INFO;
    if (value < 50) return LEVEL_WARN;
    return value < 60 ? LEVEL_ERROR : LEVEL_FATAL;
  }
  if (value < 200) return LEVEL_DEBUG;
  if (value < 250) return LEVEL_INFO;
  if (value < 300) return LEVEL_NOTICE;
  if (value < 400) return LEVEL_WARN;
  return value < 500 ? LEVEL_ERROR : value <= 600 ? LEVEL_FATAL : LEVEL_OTHER;
}

/** The level of a severity of syslog (RFC 5424, 6.2.1), from 0 to 7. */
export function severityLevel(severity: i32): i32 {
  if (severity < 3) return LEVEL_FATAL;
  if (severity == 3) return LEVEL_ERROR;
  if (severity == 4) return LEVEL_WARN;
  if (severity == 5) return LEVEL_NOTICE;
  return severity == 6 ? LEVEL_INFO : LEVEL_DEBUG;
}
