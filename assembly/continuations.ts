/**
 * Lines that are not of their format, but look like a part of the entry before them: those of a stack
 * trace. They are told by their first bytes, and by nothing around them, so that a file can be parsed
 * from any of its lines on.
 */

import {
  FIELDS_BYTES,
  FIELDS_CONTINUATION,
  FIELDS_FAILED,
  FIELDS_LINE,
  FIELDS_LINE_LENGTH,
  FIELDS_STATUS,
} from '../src/memory/layout';

// @ts-ignore: decorator
@inline const WORD_BYTES_MAX: usize = 255;

export function markContinuations(fields: usize, count: i32): i32 {
  assert(count >= 0);
  let marked = 0;
  for (let i = 0; i < count; i++) {
    if (load<i32>(fields, FIELDS_STATUS) == FIELDS_FAILED) {
      const line = <usize>load<u32>(fields, FIELDS_LINE);
      if (isContinuation(line, <usize>load<u32>(fields, FIELDS_LINE_LENGTH))) {
        store<i32>(fields, FIELDS_CONTINUATION, FIELDS_STATUS);
        marked++;
      }
    }
    fields += FIELDS_BYTES;
  }
  return marked;
}

// The beginnings as they lie in memory: the first letter is the lowest byte.
// @ts-ignore: decorator
@inline const AT: u64 = 0x207461; // 'at '
// @ts-ignore: decorator
@inline const CAUSED_BY: u64 = 0x6220646573756143; // 'Caused b'
// @ts-ignore: decorator
@inline const CAUSED_BY_REST: u16 = 0x3a79; // 'y:'
// @ts-ignore: decorator
@inline const SUPPRESSED: u64 = 0x7373657270707553; // 'Suppress'
// @ts-ignore: decorator
@inline const SUPPRESSED_REST: u64 = 0x3a6465; // 'ed:'
// @ts-ignore: decorator
@inline const DOTS: u32 = 0x202e2e2e; // '... '
// @ts-ignore: decorator
@inline const TRACEBACK: u64 = 0x6361626563617254; // 'Tracebac'
// @ts-ignore: decorator
@inline const TRACEBACK_REST: u64 = 0x28206b; // 'k ('
// @ts-ignore: decorator
@inline const EXCEPTION_IN: u64 = 0x6f69747065637845; // 'Exceptio'
// @ts-ignore: decorator
@inline const EXCEPTION_IN_REST: u64 = 0x206e69206e; // 'n in '
// @ts-ignore: decorator
@inline const EXCEPTION_END: u64 = 0x6e6f697470656378; // 'xception'
// @ts-ignore: decorator
@inline const ERROR_END: u32 = 0x726f7272; // 'rror'
// @ts-ignore: decorator
@inline const THROWABLE_END: u64 = 0x656c6261776f7268; // 'hrowable'

/** Behind the line there may be as many bytes as a kernel may read. */
function isContinuation(line: usize, length: usize): bool {
  if (length == 0) return false;
  const first = load<u8>(line);
  if (first == 0x20 || first == 0x09 || first == 0x7d) return true;
  const word = load<u64>(line);
  const rest = load<u64>(line, 8);
  if (length >= 3 && (word & 0xffffff) == AT) return true;
  if (length >= 4 && <u32>word == DOTS) return true;
  if (length >= 10 && word == CAUSED_BY && <u16>rest == CAUSED_BY_REST) return true;
  if (length >= 11 && word == SUPPRESSED && (rest & 0xffffff) == SUPPRESSED_REST) return true;
  if (length >= 11 && word == TRACEBACK && (rest & 0xffffff) == TRACEBACK_REST) return true;
  if (length >= 13 && word == EXCEPTION_IN && (rest & 0xffffffffff) == EXCEPTION_IN_REST) return true;
  return namesError(line, length);
}

/** Whether a line begins with the name of an error, as its class is called, and a colon or nothing. */
// @ts-ignore: decorator
@inline
function namesError(line: usize, length: usize): bool {
  const limit = min(length, WORD_BYTES_MAX + 1);
  let at: usize = 0;
  while (at < limit && isOfName(load<u8>(line + at))) at++;
  if (at < 5 || at > WORD_BYTES_MAX || (at < length && load<u8>(line + at) != 0x3a)) return false;
  const end = line + at;
  if (load<u32>(end - 4) == ERROR_END) return load<u8>(end - 5) == 0x45;
  if (at < 9) return false;
  const tail = load<u64>(end - 8);
  const before = load<u8>(end - 9);
  return (tail == EXCEPTION_END && before == 0x45) || (tail == THROWABLE_END && before == 0x54);
}

// @ts-ignore: decorator
@inline
function isOfName(byte: u8): bool {
  return <u8>((byte | 32) - 97) < 26 || <u8>(byte - 48) < 10 || byte == 0x5f || byte == 0x24 || byte == 0x2e;
}
