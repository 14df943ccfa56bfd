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
import { codecOf, type ValueCodec } from './codecs.ts';
import type { KvCore } from './core.ts';
import { callerKey, treeKey } from './layout.ts';
import { KvIterator, type KvRange } from './range.ts';

/** What a line says. */
export interface Line {
  key: Uint8Array;
  value: Uint8Array | string;
  expiryMs: number;
}

/** The keys of a range as lines, as they are now. */
export function exportLines<V>(core: KvCore, codec: ValueCodec<V>, range: KvRange): IterableIterator<string> {
  return new KvIterator(core, range, (treeKeyBytes, bytes, expiryMs) => {
    const key = callerKey(treeKeyBytes);
    const line: Record<string, unknown> = isUtf8(key)
      ? { key: key.toString() }
      : { keyBase64: key.toString('base64') };
    if (codec.name === 'bytes') line['valueBase64'] = bytes.toString('base64');
    else line['value'] = codec.decode(bytes);
    if (expiryMs !== 0) line['expiresAt'] = expiryMs;
    return JSON.stringify(line);
  });
}

/** @throws SyntaxError, TypeError, RangeError with the number of the line */
export function parseLine(text: string, number: number, codec: ValueCodec<unknown>): Line {
  try {
    const line = JSON.parse(text) as Record<string, unknown>;
    checkOptions('it', line, ['key', 'keyBase64', 'value', 'valueBase64', 'expiresAt']);
    const key = treeKey(either(line, 'key', base64));
    const expiryMs = integerOption('expiresAt', line['expiresAt'], 0, 1);
    const bytes = either(line, 'value', base64);
    // Bytes are what a codec would have made of a value, whatever the store has.
    const value = 'valueBase64' in line ? (bytes as Buffer) : codecOf(codec.name).encode(bytes);
    if ('valueBase64' in line) codec.decode(bytes as Buffer);
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
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
    throw new TypeError('it has Base64 that is none');
  return Buffer.from(text, 'base64');
}
