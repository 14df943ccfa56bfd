/**
 * Keys as lines of JSON, out of a store and into it.
 *
 *     {"key":"user:1","value":{"name":"Ada"},"expiresAt":1735689600000}
 *
 * A key that is no UTF-8 is `keyBase64`, and a value of bytes is `valueBase64`; a store of strings has its values as
 * strings, one of JSON as they are. `expiresAt` is left out where a key does not expire.
 *
 * @module
 */

import { isUtf8 } from 'node:buffer';
import { checkOptions, integerOption } from '../options.ts';
import { nameOf, type ValueCodec } from './codecs.ts';
import type { KvCore } from './core.ts';
import { callerKey, type KvPut, treeKey } from './layout.ts';
import { KvIterator, type KvRange } from './range.ts';
import type { StoreClock } from './store-clock.ts';

const UNPAIRED = /\p{Surrogate}/u;

/** The keys of a range as lines, as they are now. */
export function exportLines<V>(core: KvCore, codec: ValueCodec<V>, range: KvRange): IterableIterator<string> {
  return new KvIterator(core, range, (treeKeyBytes, bytes, expiryMs) => {
    const key = callerKey(treeKeyBytes);
    const line: Record<string, unknown> = isUtf8(key)
      ? { key: key.toString() }
      : { keyBase64: key.toString('base64') };
    if (codec.name === 'bytes') line['valueBase64'] = bytes.toString('base64');
    else line['value'] = codec.decode(bytes);
    const expiresAt = core.clock.told(expiryMs);
    if (expiresAt !== undefined) line['expiresAt'] = expiresAt;
    return JSON.stringify(line);
  });
}

/** @throws SyntaxError, TypeError, RangeError with the number of the line */
export function parseLine(
  text: unknown,
  number: number,
  codec: ValueCodec<unknown>,
  clock: StoreClock,
): KvPut {
  try {
    if (typeof text !== 'string') throw new TypeError(`it must be a string, not ${nameOf(text)}`);
    const line = JSON.parse(text) as Record<string, unknown>;
    checkOptions('it', line, ['key', 'keyBase64', 'value', 'valueBase64', 'expiresAt']);
    const key = treeKey(wellFormed(either(line, 'key', base64)));
    const expiresAt = integerOption('expiresAt', line['expiresAt'], 0, 1);
    const expiryMs = expiresAt === 0 ? 0 : clock.named(expiresAt);
    const bytes = either(line, 'value', base64);
    // Bytes are what a codec would have made of a value, whatever the store has.
    const value = 'valueBase64' in line ? (bytes as Buffer) : codec.encode(bytes);
    if ('valueBase64' in line) checkBytes(bytes as Buffer, codec);
    else wellFormed(value);
    return { key, value, expiryMs };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    error.message = `line ${number}: ${error.message}`;
    throw error;
  }
}

/** The one of two fields that there is. */
function either(line: Record<string, unknown>, name: string, decode: (text: unknown) => Buffer): unknown {
  const encoded = `${name}Base64`;
  if (name in line === encoded in line) throw new TypeError(`it must have one of ${name} and ${encoded}`);
  return name in line ? line[name] : decode(line[encoded]);
}

function base64(text: unknown): Buffer {
  if (typeof text === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    const bytes = Buffer.from(text, 'base64');
    // With or without what fills it up; but nothing is lost.
    if (bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '')) return bytes;
  }
  throw new TypeError('it has Base64 that is none');
}

/** Text that UTF-8 cannot say would become another, and two keys one. */
function wellFormed<T>(text: T): T {
  if (typeof text === 'string' && UNPAIRED.test(text))
    throw new TypeError('it has half of a surrogate pair, which UTF-8 cannot say');
  return text;
}

/** @throws TypeError, SyntaxError where no value of the store has these bytes */
function checkBytes(bytes: Buffer, codec: ValueCodec<unknown>): void {
  if (codec.name !== 'bytes' && !isUtf8(bytes)) throw new TypeError('it has a value that is no UTF-8');
  codec.decode(bytes);
}
