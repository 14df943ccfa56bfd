/**
 * Lines of keys and values, `key=value key="a \"quoted\" value" key`, as Heroku and Go's logfmt have them.
 */

import { FIELDS_BYTES, FIELDS_FAILED, FIELDS_LINE, FIELDS_PARSED, SPAN_ADDRESS, SPAN_BYTES, SPAN_LENGTH } from '../src/memory/layout';
import { clear, findBlank, findEither, isBlank, skipBlanks } from './blanks';
import { clearFields } from './hdfs';
import { beginKeys, extrasBytesOf, hasGoodTime, hasKnownKey, putValue } from './values';

// @ts-ignore: decorator
@inline const QUOTE: u8 = 0x22;
// @ts-ignore: decorator
@inline const BACKSLASH: u8 = 0x5c;
// @ts-ignore: decorator
@inline const EQUALS: u8 = 0x3d;

export function parseLogfmt(spans: usize, count: i32, fields: usize, extras: usize, table: usize): i32 {
  assert(count >= 0);
  const extraBytes = extrasBytesOf(table);
  let parsed = 0;
  for (let i = 0; i < count; i++) {
    const line = <usize>load<u32>(spans, SPAN_ADDRESS);
    store<u64>(fields, load<u64>(spans), FIELDS_LINE);
    clearFields(fields, FIELDS_PARSED);
    clear(extras, extraBytes);
    beginKeys(table, fields, extras);
    if (parsePairs(line, line + <usize>load<u32>(spans, SPAN_LENGTH)) && hasGoodTime() && hasKnownKey()) {
      parsed++;
    } else {
      clearFields(fields, FIELDS_FAILED);
      clear(extras, extraBytes);
    }
    spans += SPAN_BYTES;
    fields += FIELDS_BYTES;
    extras += extraBytes;
  }
  return parsed;
}

/** Whether the line is keys and values, of which the first has a value. */
function parsePairs(line: usize, end: usize): bool {
  let isFirst = true;
  for (let at = skipBlanks(line, end); at < end; at = skipBlanks(at, end)) {
    const key = at;
    while (at < end && isOfKey(load<u8>(at))) at++;
    if (at == key) return false;
    const keyEnd = at;
    const hasValue = at < end && load<u8>(at) == EQUALS;
    if (!hasValue && (isFirst || (at < end && !isBlank(load<u8>(at))))) return false;
    isFirst = false;
    if (!hasValue) continue;
    const value = at + 1;
    if (value < end && load<u8>(value) == QUOTE) {
      at = findEither(value + 1, end, QUOTE, BACKSLASH);
      while (at < end && load<u8>(at) == BACKSLASH) at = findEither(at + 2, end, QUOTE, BACKSLASH);
      if (at >= end) return false;
      putValue(key, keyEnd, value + 1, at);
      at++;
      if (at < end && !isBlank(load<u8>(at))) return false;
    } else {
      at = findBlank(value, end);
      putValue(key, keyEnd, value, at);
    }
  }
  return !isFirst;
}

/** Neither white space nor a control character, an equals sign or a quote. */
// @ts-ignore: decorator
@inline
function isOfKey(byte: u8): bool {
  return byte > 0x20 && byte != EQUALS && byte != QUOTE;
}
