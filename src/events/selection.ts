/**
 * Which entries are wanted: of some time, some levels, some components, with some text in their message.
 *
 * @module
 */

import { parseLevels } from '../levels.ts';
import type { Tags } from '../lsm/table/tags.ts';
import { TAG_LEVELS } from '../memory/table-layout.ts';
import { booleanOption, checkOptions, integerOption } from '../options.ts';
import { messageStart } from './entry.ts';
import { componentHash, HAS_COMPONENT, HEAD_BYTES, VALUE_FLAGS, VALUE_HASH, VALUE_LEVEL } from './format.ts';
import { boundOf } from './time.ts';

/** Which entries a count or a histogram is about; all unless given. */
export interface EventFilter {
  /** The earliest time: milliseconds since the epoch as a number, or nanoseconds as a bigint. */
  from?: number | bigint | undefined;
  /** The time to stop before. */
  to?: number | bigint | undefined;
  /**
   * A level, which stands for itself and all above it (`WARN`: warnings, errors and fatal ones); or, behind an
   * equals sign, the levels that are wanted, with commas between them (`=DEBUG,TRACE`).
   */
  level?: string | undefined;
  /** The component, or some of them. A star at its start or end stands for any text: `dfs.DataNode*`. */
  component?: string | readonly string[] | undefined;
  /** What the message contains, as it is: case counts. */
  contains?: string | undefined;
}

/** Which entries are read, and how. */
export interface EventReadOptions extends EventFilter {
  /** How many at most. */
  limit?: number | undefined;
  /** From the last to the first; false unless given. */
  reverse?: boolean | undefined;
  /** Behind the last, wait for more as they are written, whatever their time; false unless given. */
  follow?: boolean | undefined;
  /** Ends the reading: the iterator throws its reason. */
  signal?: AbortSignal | undefined;
}

export const FILTER_OPTIONS: readonly string[] = ['from', 'to', 'level', 'component', 'contains'];
const READ_OPTIONS: readonly string[] = [...FILTER_OPTIONS, 'limit', 'reverse', 'follow', 'signal'];

/** A component that is wanted. */
interface Wanted {
  bytes: Buffer;
  anyBefore: boolean;
  anyBehind: boolean;
}

/** What a filter means. */
export interface Selection {
  /** Keys that are not less, and keys that are less. */
  readonly start: Buffer | undefined;
  readonly end: Buffer | undefined;
  /** One bit for each level that is wanted; -1 for all. */
  readonly levels: number;
  readonly components: readonly Wanted[] | undefined;
  readonly contains: Buffer | undefined;
}

/** What the options of a reading mean. */
export interface Reading extends Selection {
  limit: number;
  isBackward: boolean;
  isFollowing: boolean;
  signal: AbortSignal | undefined;
}

/** @throws TypeError, RangeError with the name of the option that is wrong */
export function resolveReading(options: EventReadOptions): Reading {
  checkOptions('options', options, READ_OPTIONS);
  const { signal } = options;
  const isBackward = booleanOption('reverse', options.reverse, false);
  const isFollowing = booleanOption('follow', options.follow, false);
  if (isBackward && isFollowing) throw new RangeError('follow goes forward: not together with reverse');
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new TypeError('signal must be an AbortSignal');
  return {
    ...resolveSelection(options),
    limit: integerOption('limit', options.limit, Number.POSITIVE_INFINITY, 0),
    isBackward,
    isFollowing,
    signal,
  };
}

/** @throws TypeError, RangeError with the name of the option that is wrong */
export function resolveSelection({ from, to, level, component, contains }: EventFilter): Selection {
  if (contains !== undefined && typeof contains !== 'string')
    throw new TypeError(`contains must be a string, not ${String(contains)}`);
  return {
    start: from === undefined ? undefined : boundOf('from', from),
    end: to === undefined ? undefined : boundOf('to', to),
    levels: level === undefined ? -1 : parseLevels(level),
    components: component === undefined ? undefined : toWanted(component),
    contains: contains === undefined || contains === '' ? undefined : Buffer.from(contains),
  };
}

function toWanted(value: string | readonly string[]): Wanted[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw new RangeError('component must not be an empty list');
  return list.map((item) => {
    if (typeof item !== 'string') throw new TypeError(`component must be a string, not ${String(item)}`);
    const anyBefore = item.startsWith('*');
    const anyBehind = item.length > Number(anyBefore) && item.endsWith('*');
    const text = item.slice(Number(anyBefore), anyBehind ? -1 : undefined);
    return { bytes: Buffer.from(text), anyBefore, anyBehind };
  });
}

/** Whether a selection asks for anything but a time. */
export function isPlain({ levels, components, contains }: Selection): boolean {
  return levels === -1 && components === undefined && contains === undefined;
}

/** Bits of which blocks of tables must have one of each, for one of their entries to be wanted. */
export function tagFilter({ levels, components }: Selection): Tags[] {
  const filter: Tags[] = [];
  if (levels !== -1) filter.push({ low: levels, high: 0 });
  if (components?.every(({ anyBefore, anyBehind }) => !anyBefore && !anyBehind) === true) {
    const tags = { low: 0, high: 0 };
    for (const { bytes } of components) {
      const bit = TAG_LEVELS + componentHash(bytes);
      if (bit < 32) tags.low = (tags.low | (1 << bit)) >>> 0;
      else tags.high = (tags.high | (1 << (bit - 32))) >>> 0;
    }
    filter.push(tags);
  }
  return filter;
}

/** A selection at work on the entries of pages. */
export class Matcher {
  readonly #levels: number;
  readonly #components: readonly Wanted[] | undefined;
  readonly #contains: Buffer | undefined;
  readonly #hash: number;
  /** Where in the bytes that were searched last the text is next, from the place on at which it was looked for. */
  #searched: Buffer | undefined;
  #searchedFrom = 0;
  #found = -1;

  constructor(selection: Selection) {
    this.#levels = selection.levels;
    this.#components = selection.components;
    this.#contains = selection.contains;
    const [only] = selection.components ?? [];
    const isOne = selection.components?.length === 1 && only?.anyBefore === false && !only.anyBehind;
    this.#hash = isOne && only !== undefined ? componentHash(only.bytes) : -1;
  }

  /**
   * Whether an entry is wanted.
   *
   * @param value where its value begins, and where it ends
   */
  matches(bytes: Buffer, value: number, end: number): boolean {
    if (((this.#levels >> (bytes[value + VALUE_LEVEL] as number)) & 1) === 0) return false;
    if (this.#hash >= 0 && bytes[value + VALUE_HASH] !== this.#hash) return false;
    if (this.#components !== undefined && !this.#isComponent(bytes, value)) return false;
    return this.#contains === undefined || this.#has(this.#contains, bytes, messageStart(bytes, value), end);
  }

  #isComponent(bytes: Buffer, value: number): boolean {
    const flags = bytes[value + VALUE_FLAGS] as number;
    if ((flags & HAS_COMPONENT) === 0) return false;
    let at = value + HEAD_BYTES;
    let length = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] as number;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    // The lengths of the version and of the metadata come before the texts.
    for (let others = (flags >> 1) & 3; others > 0; others &= others - 1)
      while ((bytes[at++] as number) >= 0x80);
    return (this.#components as readonly Wanted[]).some((wanted) => isWanted(wanted, bytes, at, length));
  }

  /** Looks for a text; of what was found behind the end, the next entries profit. */
  #has(text: Buffer, bytes: Buffer, from: number, end: number): boolean {
    const isKnown =
      this.#searched === bytes && from >= this.#searchedFrom && (this.#found < 0 || this.#found >= from);
    if (!isKnown) {
      this.#searched = bytes;
      this.#searchedFrom = from;
      this.#found = bytes.indexOf(text, from);
    }
    return this.#found >= 0 && this.#found + text.length <= end;
  }
}

function isWanted(
  { bytes: wanted, anyBefore, anyBehind }: Wanted,
  bytes: Buffer,
  at: number,
  length: number,
): boolean {
  const spare = length - wanted.length;
  if (spare < 0) return false;
  if (!anyBefore) return (anyBehind || spare === 0) && equals(wanted, bytes, at);
  if (!anyBehind) return equals(wanted, bytes, at + spare);
  for (let i = 0; i <= spare; i++) if (equals(wanted, bytes, at + i)) return true;
  return false;
}

function equals(wanted: Buffer, bytes: Buffer, at: number): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}
