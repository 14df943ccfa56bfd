/**
 * Lines that are each a JSON object. Its own keys are looked at; what is nested in their values is passed over.
 * Strings stay as they are written, with their escapes.
 */

import { FIELDS_BYTES, FIELDS_FAILED, FIELDS_LINE, FIELDS_PARSED, SPAN_ADDRESS, SPAN_BYTES, SPAN_LENGTH } from '../src/memory/layout';
import { clear, findEither } from './blanks';
import { clearFields } from './hdfs';
import { beginKeys, extrasBytesOf, hasGoodTime, putValue } from './values';

// @ts-ignore: decorator
@inline const QUOTE: u8 = 0x22;
// @ts-ignore: decorator
@inline const BACKSLASH: u8 = 0x5c;
// @ts-ignore: decorator
@inline const TRUE: u32 = 0x65757274;
// @ts-ignore: decorator
@inline const FALSE: u64 = 0x65736c6166;
// @ts-ignore: decorator
@inline const NULL: u32 = 0x6c6c756e;

export function parseJson(spans: usize, count: i32, fields: usize, extras: usize, table: usize): i32 {
  assert(count >= 0);
  const extraBytes = extrasBytesOf(table);
  let parsed = 0;
  for (let i = 0; i < count; i++) {
    const line = <usize>load<u32>(spans, SPAN_ADDRESS);
    store<u64>(fields, load<u64>(spans), FIELDS_LINE);
    clearFields(fields, FIELDS_PARSED);
    clear(extras, extraBytes);
    beginKeys(table, fields, extras);
    if (parseObject(line, line + <usize>load<u32>(spans, SPAN_LENGTH)) && hasGoodTime()) {
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

/** Whether the line is one object, and nothing else. */
function parseObject(at: usize, end: usize): bool {
  at = skipSpace(at, end);
  if (at >= end || load<u8>(at) != 0x7b) return false;
  at = skipSpace(at + 1, end);
  if (at < end && load<u8>(at) == 0x7d) return skipSpace(at + 1, end) == end;
  while (at < end) {
    if (load<u8>(at) != QUOTE) return false;
    const key = at + 1;
    const keyEnd = stringEnd(key, end);
    if (keyEnd >= end) return false;
    at = skipSpace(keyEnd + 1, end);
    if (at >= end || load<u8>(at) != 0x3a) return false;
    at = skipSpace(at + 1, end);
    const value = at;
    at = valueEnd(at, end);
    if (at == 0) return false;
    const first = load<u8>(value);
    if (first == QUOTE) putValue(key, keyEnd, value + 1, at - 1);
    else if (first != 0x6e) putValue(key, keyEnd, value, at);
    at = skipSpace(at, end);
    if (at >= end) return false;
    const next = load<u8>(at);
    at = skipSpace(at + 1, end);
    if (next == 0x7d) return at == end;
    if (next != 0x2c) return false;
  }
  return false;
}

/** The address of the quote that ends a string, or at least `end`. */
// @ts-ignore: decorator
@inline
function stringEnd(at: usize, end: usize): usize {
  at = findEither(at, end, QUOTE, BACKSLASH);
  while (at < end && load<u8>(at) == BACKSLASH) at = findEither(at + 2, end, QUOTE, BACKSLASH);
  return at;
}

/** The address behind a value, or 0 where there is none. */
function valueEnd(at: usize, end: usize): usize {
  if (at >= end) return 0;
  const first = load<u8>(at);
  if (first == QUOTE) {
    at = stringEnd(at + 1, end);
    return at < end ? at + 1 : 0;
  }
  if (first == 0x7b || first == 0x5b) return nestedEnd(at, end);
  if (first == 0x2d || <u8>(first - 48) < 10) {
    at++;
    while (at < end && isOfNumber(load<u8>(at))) at++;
    return at;
  }
  if (at + 4 <= end && (load<u32>(at) == TRUE || load<u32>(at) == NULL)) return at + 4;
  return at + 5 <= end && (load<u64>(at) & 0xffffffffff) == FALSE ? at + 5 : 0;
}

/** The address behind an object or an array: as many brackets are closed as were opened. */
function nestedEnd(at: usize, end: usize): usize {
  let depth = 0;
  while (at < end) {
    const byte = load<u8>(at);
    if (byte == QUOTE) {
      at = stringEnd(at + 1, end);
    } else if (byte == 0x7b || byte == 0x5b) {
      depth++;
    } else if (byte == 0x7d || byte == 0x5d) {
      depth--;
      if (depth == 0) return at + 1;
    }
    at++;
  }
  return 0;
}

// @ts-ignore: decorator
@inline
function isOfNumber(byte: u8): bool {
  return <u8>(byte - 48) < 10 || byte == 0x2e || (byte | 32) == 0x65 || byte == 0x2b || byte == 0x2d;
}

/** White space of JSON, but for line feeds, of which a line has none. */
// @ts-ignore: decorator
@inline
function skipSpace(at: usize, end: usize): usize {
  while (at < end) {
    const byte = load<u8>(at);
    if (byte != 0x20 && byte != 0x09 && byte != 0x0d) break;
    at++;
  }
  return min(at, end);
}
