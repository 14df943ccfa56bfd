/**
 * Lines by a program: see src/memory/program-layout.ts. A field goes up to the first place where the literal
 * behind it is, and that is never taken back, so that a line costs what its bytes cost; only where a pattern
 * has an optional part are there two ways to go on.
 */

import {
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_CONTENT,
  FIELDS_FAILED,
  FIELDS_FLAGS,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_LINE,
  FIELDS_LOCAL,
  FIELDS_NANOSECONDS,
  FIELDS_PARSED,
  FIELDS_PID,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  LEVEL_ERROR,
  LEVEL_INFO,
  LEVEL_OTHER,
  LEVEL_WARN,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
} from '../src/memory/layout';
import {
  COMPONENT_TEXT_BYTES_MAX,
  KIND_ANY,
  KIND_DASH,
  KIND_INTEGER,
  KIND_PRIORITY,
  KIND_QUOTED,
  KIND_STATUS,
  LEVEL_TEXT_BYTES_MAX,
  OP_BLANKS,
  OP_CLEAR,
  OP_END,
  OP_FIELD,
  OP_LAST_BLANKS,
  OP_LINE_END,
  OP_MATCHED,
  OP_REST,
  OP_SPLIT,
  OP_STRUCTURED,
  OP_TEXT,
  OP_TIME,
  OP_TIMESTAMP,
  OP_TRY,
  PID_TEXT_BYTES_MAX,
  PROGRAM_CODE,
  PROGRAM_EXTRAS,
  SLOT_COMPONENT,
  SLOT_CONTENT,
  SLOT_EXTRAS,
  SLOT_LEVEL,
  SLOT_NONE,
  SLOT_PID,
} from '../src/memory/program-layout';
import { blanksStart, clear, findBlank, findByte, findEither, isBlank, isDigit, skipBlanks } from './blanks';
import { clearFields } from './hdfs';
import { levelOf, severityLevel } from './levels';
import { parseTime } from './time-program';
import { clearTime, isLocal, restNanoseconds, timestamp } from './times';

/** The program, and where the fields of the line that is taken apart go. */
let program: usize = 0;
let row: usize = 0;
let extras: usize = 0;

export function parsePattern(
  spans: usize,
  count: i32,
  fields: usize,
  extraSpans: usize,
  code: usize,
): i32 {
  assert(count >= 0);
  program = code;
  row = fields;
  extras = extraSpans;
  const extraBytes = <usize>load<i32>(program, PROGRAM_EXTRAS) * SPAN_BYTES;
  let parsed = 0;
  for (let i = 0; i < count; i++) {
    const line = <usize>load<u32>(spans, SPAN_ADDRESS);
    store<u64>(row, load<u64>(spans), FIELDS_LINE);
    clearFields(row, FIELDS_PARSED);
    clear(extras, extraBytes);
    if (run(program + PROGRAM_CODE, line, line + <usize>load<u32>(spans, SPAN_LENGTH))) {
      parsed++;
    } else {
      clearTime();
      clearFields(row, FIELDS_FAILED);
      clear(extras, extraBytes);
    }
    spans += SPAN_BYTES;
    row += FIELDS_BYTES;
    extras += extraBytes;
  }
  return parsed;
}

/** Carries out the instructions from `code` on; whether the line is of the format. */
function run(code: usize, at: usize, end: usize): bool {
  for (;;) {
    switch (load<i32>(code)) {
      case OP_TEXT:
      case OP_BLANKS:
      case OP_LAST_BLANKS:
      case OP_LINE_END:
      case OP_MATCHED:
        at = matchLiteral(code, at, end);
        if (at == 0) return false;
        code = literalEnd;
        break;
      case OP_FIELD: {
        const start = at;
        const literal = code + 16;
        const kind = load<i32>(code, 8);
        at = findLiteral(literal, at, end, kind);
        // White space ends a field, but makes none.
        if (at == 0 || (foundAt == start && load<i32>(literal) != OP_TEXT)) return false;
        if (!storeField(load<i32>(code, 4), kind, start, foundAt)) return false;
        code += <usize>load<i32>(code, 12) << 2;
        break;
      }
      case OP_REST:
        if (!storeField(load<i32>(code, 4), load<i32>(code, 8), at, blanksStart(at, end))) return false;
        at = end;
        code += 12;
        break;
      case OP_TIME: {
        const next = code + (<usize>load<i32>(code, 4) << 2);
        at = parseTime(code + 8, next, at, end);
        if (at == 0) return false;
        code = next;
        break;
      }
      case OP_TIMESTAMP: {
        const time = timestamp(program);
        clearTime();
        if (time != time) return false;
        store<f64>(row, time, FIELDS_TIMESTAMP);
        store<i32>(row, restNanoseconds, FIELDS_NANOSECONDS);
        store<i32>(row, isLocal ? FIELDS_LOCAL : 0, FIELDS_FLAGS);
        code += 4;
        break;
      }
      case OP_TRY:
        if (run(code + 8, at, end)) return true;
        clearTime();
        code += <usize>load<i32>(code, 4) << 2;
        break;
      case OP_SPLIT:
        return split(code, at, end);
      case OP_STRUCTURED: {
        const start = at;
        at = structuredEnd(at, end);
        if (at == 0) return false;
        const isNone = load<u8>(start) == 0x2d;
        if (!isNone) storeField(load<i32>(code, 4), KIND_ANY, start, at);
        code += 8;
        break;
      }
      case OP_CLEAR:
        clearField(load<i32>(code, 4));
        code += 8;
        break;
      default:
        assert(load<i32>(code) == OP_END, 'an unknown instruction');
        return skipBlanks(at, end) == end;
    }
  }
  return false;
}

/** The address behind the literal that `matchLiteral` matched. */
let literalEnd: usize = 0;

/** Matches the text and white space of a literal. Returns the address behind it, or 0. */
function matchLiteral(code: usize, at: usize, end: usize): usize {
  for (let op = load<i32>(code); op != OP_MATCHED; op = load<i32>(code)) {
    if (op == OP_TEXT) {
      const length = <usize>load<i32>(code, 4);
      if (at + length > end) return 0;
      for (let i: usize = 0; i < length; i++) {
        if (load<u8>(code + 8 + i) != load<u8>(at + i)) return 0;
      }
      at += length;
      code += 8 + ((length + 3) & ~3);
    } else if (op == OP_LINE_END) {
      if (skipBlanks(at, end) != end) return 0;
      code += 4;
    } else {
      assert(op == OP_BLANKS || op == OP_LAST_BLANKS);
      if (at < end ? !isBlank(load<u8>(at)) : op == OP_BLANKS) return 0;
      at = skipBlanks(at, end);
      code += 4;
    }
  }
  literalEnd = code + 4;
  return at;
}

/** Where the literal that `findLiteral` found begins. */
let foundAt: usize = 0;

/** Finds the first place where a literal is. Returns the address behind it, or 0. */
function findLiteral(literal: usize, at: usize, end: usize, kind: i32): usize {
  const isText = load<i32>(literal) == OP_TEXT;
  const first = isText ? <u8>load<i32>(literal, 8) : 0;
  while (at <= end) {
    if (!isText) at = findBlank(at, end);
    else at = kind == KIND_QUOTED ? findUnescaped(at, end, first) : findByte(at, end, first);
    const behind = matchLiteral(literal, at, end);
    foundAt = at;
    if (behind != 0) return behind;
    at = isText || at == end ? at + 1 : skipBlanks(at, end);
  }
  return 0;
}

/** The first such byte with no backslash before it that is not itself behind one, or `end`. */
function findUnescaped(at: usize, end: usize, byte: u8): usize {
  at = findEither(at, end, byte, 0x5c);
  while (at < end && load<u8>(at) == 0x5c) at = findEither(at + 2, end, byte, 0x5c);
  return min(at, end);
}

/** A field up to the first place where one of two ways begins. */
function split(code: usize, at: usize, end: usize): bool {
  const slot = load<i32>(code, 4);
  const kind = load<i32>(code, 8);
  const first = code + 16;
  const other = code + (<usize>load<i32>(code, 12) << 2);
  const start = at;
  const firstAt = findLiteral(first, start, end, kind) == 0 ? end + 1 : foundAt;
  const otherAt = findLiteral(other, start, end, kind) == 0 ? end + 1 : foundAt;
  if (firstAt <= otherAt && firstAt <= end) {
    if (storeField(slot, kind, start, firstAt) && run(first, firstAt, end)) return true;
    clearTime();
  }
  if (otherAt > end) return false;
  return storeField(slot, kind, start, otherAt) && run(other, otherAt, end);
}

/** Structured data of RFC 5424 (6.3): `-`, or elements in brackets. Returns the address behind it, or 0. */
function structuredEnd(at: usize, end: usize): usize {
  if (at < end && load<u8>(at) == 0x2d) return at + 1;
  const start = at;
  while (at < end && load<u8>(at) == 0x5b) {
    at++;
    let isQuoted = false;
    for (;;) {
      if (at >= end) return 0;
      const byte = load<u8>(at);
      if (byte == 0x5c && isQuoted) at++;
      else if (byte == 0x22) isQuoted = !isQuoted;
      else if (byte == 0x5d && !isQuoted) break;
      at++;
    }
    at++;
  }
  return at == start ? 0 : at;
}

/** Puts a field in its place; whether it may be what it is. */
function storeField(slot: i32, kind: i32, start: usize, end: usize): bool {
  const length = end - start;
  if (kind != KIND_ANY) {
    if (kind >= KIND_DASH && length == 1 && load<u8>(start) == 0x2d) return true;
    if (kind == KIND_INTEGER) {
      if (length > 20 || !areDigits(start, end)) return false;
    } else if (kind == KIND_PRIORITY) {
      const value = length <= 3 && areDigits(start, end) ? numberOf(start, end) : 192;
      if (value > 191) return false;
      store<i32>(row, severityLevel(value & 7), FIELDS_LEVEL_CODE);
    } else if (kind == KIND_STATUS) {
      if (length != 3 || !areDigits(start, end)) return false;
      const status = numberOf(start, end);
      const level = status >= 500 ? LEVEL_ERROR : status >= 400 ? LEVEL_WARN : LEVEL_INFO;
      store<i32>(row, level, FIELDS_LEVEL_CODE);
    } else if (kind != KIND_QUOTED) {
      if (length == 0 || findBlank(start, end) != end) return false;
    }
  }
  const span = <u64>start | (<u64>length << 32);
  switch (slot) {
    case SLOT_NONE:
      return true;
    case SLOT_LEVEL:
      store<u64>(row, span, FIELDS_LEVEL);
      store<i32>(row, levelOf(start, <u32>length), FIELDS_LEVEL_CODE);
      return length <= <usize>LEVEL_TEXT_BYTES_MAX;
    case SLOT_PID:
      store<u64>(row, span, FIELDS_PID);
      return length <= <usize>PID_TEXT_BYTES_MAX;
    case SLOT_COMPONENT:
      store<u64>(row, span, FIELDS_COMPONENT);
      return length <= <usize>COMPONENT_TEXT_BYTES_MAX;
    case SLOT_CONTENT:
      store<u64>(row, span, FIELDS_CONTENT);
      return true;
    default:
      store<u64>(extras + <usize>(slot - SLOT_EXTRAS) * SPAN_BYTES, span);
      return true;
  }
}

/** Takes back what a way that led nowhere may have put in place. */
function clearField(slot: i32): void {
  switch (slot) {
    case SLOT_NONE:
    case SLOT_LEVEL:
      store<u64>(row, 0, FIELDS_LEVEL);
      store<i32>(row, LEVEL_OTHER, FIELDS_LEVEL_CODE);
      break;
    case SLOT_PID:
      store<u64>(row, 0, FIELDS_PID);
      break;
    case SLOT_COMPONENT:
      store<u64>(row, 0, FIELDS_COMPONENT);
      break;
    case SLOT_CONTENT:
      store<u64>(row, 0, FIELDS_CONTENT);
      break;
    default:
      store<u64>(extras + <usize>(slot - SLOT_EXTRAS) * SPAN_BYTES, 0);
  }
}

// @ts-ignore: decorator
@inline
function areDigits(at: usize, end: usize): bool {
  if (at == end) return false;
  while (at < end) {
    if (!isDigit(load<u8>(at))) return false;
    at++;
  }
  return true;
}

/** The number that a few digits make. */
// @ts-ignore: decorator
@inline
function numberOf(at: usize, end: usize): i32 {
  let value = 0;
  while (at < end) {
    value = value * 10 + <i32>(load<u8>(at) - 48);
    at++;
  }
  return value;
}
