/**
 * Which lines are wanted: from a time on, up to a time, of some levels, of some components. The same for all
 * commands and calls that read log files.
 *
 * A filter asks entries. A line that is none (a line of a stack trace, or one that does not parse) goes with
 * the entry before it, so that what is shown of an entry is all of it; lines before the first entry go with
 * nothing. An entry without a time is at none, and one whose level is not on the scale is of none.
 *
 * @module
 */

import { parseLevels } from '../levels.ts';
import {
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_COMPONENT_LENGTH,
  FIELDS_LEVEL_CODE,
  FIELDS_PARSED,
  FIELDS_PLAIN,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
} from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';

/** What a filter asks for; nothing unless given. */
export interface FilterOptions {
  /** The earliest time, in milliseconds since the epoch. */
  since?: number | undefined;
  /** The time to stop before, in milliseconds since the epoch. */
  until?: number | undefined;
  /**
   * A level, which stands for itself and all above it (`WARN`: warnings, errors and fatal ones); or, behind
   * an equals sign, the levels that are wanted, with commas between them (`=DEBUG,TRACE`). `OTHER` is a
   * level that is not on the scale.
   */
  level?: string | undefined;
  /** The component, or some of them. A star at its start or end stands for any text: `dfs.DataNode*`. */
  component?: string | readonly string[] | undefined;
}

/** A filter in plain values, as a task is sent it. */
export interface Filter {
  /** -Infinity where there is no earliest time. */
  readonly since: number;
  /** Infinity where there is none to stop before. */
  readonly until: number;
  /** One bit for each level code that is wanted; undefined for all. */
  readonly levels: number | undefined;
  /** As in the options; undefined for all. */
  readonly components: readonly string[] | undefined;
}

/**
 * Checks what is asked for.
 *
 * @returns the filter; undefined where nothing is asked for
 * @throws TypeError, RangeError where an option is wrong
 */
export function createFilter(options: FilterOptions): Filter | undefined {
  const { since, until, level, component } = options;
  if (since === undefined && until === undefined && level === undefined && component === undefined) {
    return undefined;
  }
  return {
    since: since === undefined ? Number.NEGATIVE_INFINITY : checkTime('since', since),
    until: until === undefined ? Number.POSITIVE_INFINITY : checkTime('until', until),
    levels: level === undefined ? undefined : parseLevels(level),
    components: component === undefined ? undefined : checkComponents(component),
  };
}

/** Whether a filter asks for times. */
export function hasTimes({ since, until }: Pick<Filter, 'since' | 'until'>): boolean {
  return since !== Number.NEGATIVE_INFINITY || until !== Number.POSITIVE_INFINITY;
}

function checkTime(name: string, value: unknown): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${String(value)}`);
  if (Number.isNaN(value)) throw new RangeError(`${name} must be a time in milliseconds, not NaN`);
  return value;
}

function checkComponents(value: string | readonly string[]): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw new RangeError('component must not be an empty list');
  return list.map((item) => {
    if (typeof item !== 'string') throw new TypeError(`component must be a string, not ${String(item)}`);
    if (item === '') throw new RangeError('component must not be empty');
    return item;
  });
}

/** A component that is wanted, as bytes. */
interface Wanted {
  bytes: Uint8Array;
  anyBefore: boolean;
  anyBehind: boolean;
}

/** A filter at work, on one row after the other. */
export class RowFilter {
  /** Whether the entry that came last was chosen: what lines behind it go with. */
  isChosen = false;
  readonly #memory: MemoryView;
  readonly #since: number;
  readonly #until: number;
  readonly #isTimed: boolean;
  readonly #levels: number;
  readonly #components: readonly Wanted[] | undefined;

  constructor(memory: MemoryView, filter: Filter) {
    this.#memory = memory;
    this.#since = filter.since;
    this.#until = filter.until;
    this.#isTimed = hasTimes(filter);
    this.#levels = filter.levels ?? -1;
    this.#components = filter.components?.map(toWanted);
  }

  /**
   * Chooses rows.
   *
   * @param rows `count` rows of fields, in the order of their lines
   * @param chosen address of room for `count` numbers: which rows were chosen, i32
   * @returns how many were chosen
   */
  select(rows: number, count: number, chosen: number): number {
    const { i32 } = this.#memory;
    const first = chosen >> 2;
    let next = first;
    for (let i = 0; i < count; i++) {
      const row = rows + i * FIELDS_BYTES;
      const status = i32[(row + FIELDS_STATUS) >> 2] as number;
      if (status === FIELDS_PARSED || status === FIELDS_PLAIN) this.isChosen = this.#matches(row);
      if (this.isChosen) i32[next++] = i;
    }
    return next - first;
  }

  #matches(row: number): boolean {
    const { i32, f64 } = this.#memory;
    if (this.#isTimed) {
      const timestamp = f64[(row + FIELDS_TIMESTAMP) >> 3] as number;
      if (!(timestamp >= this.#since && timestamp < this.#until)) return false;
    }
    if (this.#levels !== -1) {
      // A line in which nothing is looked for has no level, and not even one that is not known.
      if (i32[(row + FIELDS_STATUS) >> 2] === FIELDS_PLAIN) return false;
      if (((this.#levels >> (i32[(row + FIELDS_LEVEL_CODE) >> 2] as number)) & 1) === 0) return false;
    }
    if (this.#components === undefined) return true;
    const address = i32[(row + FIELDS_COMPONENT) >> 2] as number;
    const length = i32[(row + FIELDS_COMPONENT_LENGTH) >> 2] as number;
    for (const wanted of this.#components) if (this.#isComponent(wanted, address, length)) return true;
    return false;
  }

  #isComponent({ bytes, anyBefore, anyBehind }: Wanted, address: number, length: number): boolean {
    const spare = length - bytes.length;
    if (spare < 0 || length === 0) return false;
    if (!anyBefore) return (anyBehind || spare === 0) && this.#equals(bytes, address);
    if (!anyBehind) return this.#equals(bytes, address + spare);
    for (let at = 0; at <= spare; at++) if (this.#equals(bytes, address + at)) return true;
    return false;
  }

  #equals(bytes: Uint8Array, address: number): boolean {
    const { u8 } = this.#memory;
    for (let i = 0; i < bytes.length; i++) if (u8[address + i] !== bytes[i]) return false;
    return true;
  }
}

function toWanted(component: string): Wanted {
  const anyBefore = component.startsWith('*');
  const anyBehind = component.endsWith('*');
  const text = component.slice(
    anyBefore ? 1 : 0,
    anyBehind ? Math.max(anyBefore ? 1 : 0, component.length - 1) : undefined,
  );
  return { bytes: Buffer.from(text), anyBefore, anyBehind };
}
