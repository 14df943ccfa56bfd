/**
 * The kernel `tallyRows` in plain JavaScript: the specification that the WebAssembly builds are compared with.
 * Its keys are other hashes than theirs; what a table holds is compared by its texts and counts.
 *
 * @module
 */

import {
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_COMPONENT_LENGTH,
  FIELDS_CONTENT,
  FIELDS_CONTENT_LENGTH,
  FIELDS_LEVEL_CODE,
  FIELDS_LINE,
  FIELDS_PARSED,
  FIELDS_PLAIN,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  PAGE_BYTES,
  PAGE_KEY_BIAS,
  PAGE_SECONDS,
  SLOT_BYTES,
  SLOT_COUNT,
  SLOT_KEY,
  SLOT_NUMBER,
  SPAN_ADDRESS,
  SPAN_LENGTH,
  TABLE_LIMIT,
  TABLE_MASK,
  TABLE_SLOTS,
  TABLE_STRIDE,
  TABLE_TEXTS,
  TABLE_USED,
  TALLY_COMPONENTS,
  TALLY_EARLIEST,
  TALLY_LATEST,
  TALLY_LEVELS,
  TALLY_PAGES,
  TALLY_STATUSES,
  TALLY_TEMPLATES,
} from './layout.ts';
import type { ParseKernels } from './parse-kernels.ts';
import { maskMessage } from './template.ts';

/** Keys of texts are FNV-1a, 64 bits (Fowler, Noll, Vo). */
const FNV_BASIS = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** Creates the reference over `memory`. */
export function createTallyReference(
  memory: SharedArrayBuffer | ArrayBuffer,
): Pick<ParseKernels, 'tallyRows'> {
  const view = new DataView(memory);
  const load = (address: number): number => view.getInt32(address, true);
  const store = (address: number, value: number): void => view.setInt32(address, value, true);
  const increment = (address: number): void => store(address, load(address) + 1);

  function textAt(address: number, length: number): string {
    let text = '';
    for (let i = address; i < address + length; i++) text += String.fromCharCode(view.getUint8(i));
    return text;
  }

  /** The slot of a key and the address of its text; undefined where there is no room. */
  function find(table: number, key: bigint): { slot: number; text: number; isNew: boolean } | undefined {
    const mask = load(table + TABLE_MASK);
    const slots = load(table + TABLE_SLOTS);
    const textOf = (number: number): number =>
      load(table + TABLE_TEXTS) + number * load(table + TABLE_STRIDE);
    for (let index = Number(key & 0xffffffffn) & mask; ; index = (index + 1) & mask) {
      const slot = slots + index * SLOT_BYTES;
      const found = view.getBigUint64(slot + SLOT_KEY, true);
      if (found === key) return { slot, text: textOf(load(slot + SLOT_NUMBER)), isNew: false };
      if (found !== 0n) continue;
      const number = load(table + TABLE_USED);
      if (number >= load(table + TABLE_LIMIT)) return undefined;
      store(table + TABLE_USED, number + 1);
      view.setBigUint64(slot + SLOT_KEY, key, true);
      store(slot + SLOT_COUNT, 0);
      store(slot + SLOT_NUMBER, number);
      return { slot, text: textOf(number), isNew: true };
    }
  }

  /** The counter of a text; undefined where there is no room. */
  function findText(table: number, key: string, span: number): number | undefined {
    let hash = FNV_BASIS;
    for (let i = 0; i < key.length; i++) {
      hash = BigInt.asUintN(64, (hash ^ BigInt(key.charCodeAt(i))) * FNV_PRIME);
    }
    const found = find(table, hash);
    if (found?.isNew === true) {
      const bytes = Math.min(load(span + SPAN_LENGTH), load(table + TABLE_STRIDE) - 4);
      store(found.text, bytes);
      for (let i = 0; i < bytes; i++) {
        view.setUint8(found.text + 4 + i, view.getUint8(load(span + SPAN_ADDRESS) + i));
      }
    }
    return found === undefined ? undefined : found.slot + SLOT_COUNT;
  }

  function findSecond(table: number, timestamp: number): number | undefined {
    const second = Math.floor(timestamp / 1000);
    const page = Math.floor(second / PAGE_SECONDS);
    const found = find(table, BigInt(page + PAGE_KEY_BIAS));
    if (found === undefined) return undefined;
    if (found.isNew) for (let i = 0; i < PAGE_BYTES; i += 4) store(found.text + i, 0);
    return found.text + 4 * (second - page * PAGE_SECONDS);
  }

  /** The counters that a row adds to; undefined where one has no room. */
  function countersOf(row: number, tally: number): number[] | undefined {
    const status = load(row + FIELDS_STATUS);
    const isEntry = status === FIELDS_PARSED || status === FIELDS_PLAIN;
    const timestamp = view.getFloat64(row + FIELDS_TIMESTAMP, true);
    const components = load(tally + TALLY_COMPONENTS);
    const templates = load(tally + TALLY_TEMPLATES);
    const pages = load(tally + TALLY_PAGES);
    const counters: (number | undefined)[] = [tally + TALLY_STATUSES + 4 * (status & 7)];
    if (status === FIELDS_PARSED) counters.push(tally + TALLY_LEVELS + 4 * load(row + FIELDS_LEVEL_CODE));
    const componentBytes = load(row + FIELDS_COMPONENT_LENGTH);
    if (isEntry && components !== 0 && componentBytes !== 0) {
      const text = textAt(load(row + FIELDS_COMPONENT), componentBytes);
      counters.push(findText(components, text, row + FIELDS_COMPONENT));
    }
    if (isEntry && templates !== 0 && !counters.includes(undefined)) {
      const isPlain = status === FIELDS_PLAIN && load(row + FIELDS_CONTENT_LENGTH) === 0;
      const span = row + (isPlain ? FIELDS_LINE : FIELDS_CONTENT);
      const message = textAt(load(span + SPAN_ADDRESS), load(span + SPAN_LENGTH));
      counters.push(findText(templates, maskMessage(message), span));
    }
    if (pages !== 0 && !Number.isNaN(timestamp) && !counters.includes(undefined)) {
      counters.push(findSecond(pages, timestamp));
    }
    return counters.every((counter) => counter !== undefined) ? counters : undefined;
  }

  function tallyRows(rows: number, count: number, chosen: number, tally: number): number {
    for (let i = 0; i < count; i++) {
      const row = rows + (chosen === 0 ? i : load(chosen + 4 * i)) * FIELDS_BYTES;
      const counters = countersOf(row, tally);
      if (counters === undefined) return i;
      for (const counter of counters) increment(counter);
      const timestamp = view.getFloat64(row + FIELDS_TIMESTAMP, true);
      if (Number.isNaN(timestamp)) continue;
      const earliest = view.getFloat64(tally + TALLY_EARLIEST, true);
      const latest = view.getFloat64(tally + TALLY_LATEST, true);
      view.setFloat64(tally + TALLY_EARLIEST, Math.min(earliest, timestamp), true);
      view.setFloat64(tally + TALLY_LATEST, Math.max(latest, timestamp), true);
    }
    return count;
  }

  return { tallyRows };
}
