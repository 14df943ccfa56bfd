/** The changes of a store, in the order in which they were written. */

import type { ChangesOptions } from '../lsm/changes.ts';
import type { ValueCodec } from './codecs.ts';
import type { KvCore } from './core.ts';
import { EXPIRY_BYTES, foreign } from './layout.ts';

export type KvChangesOptions = ChangesOptions;

/**
 * One change. Those that were written together have the same version. A deletion may be that of a caller, of the
 * background that removes what has expired, or of `maxBytes`. `clear` has deleted all keys from the first on that are
 * less than the other.
 */
export type KvChange<K, V> =
  | { type: 'set'; version: number; key: K; value: V; expiresAt: number | undefined }
  | { type: 'delete'; version: number; key: K }
  | { type: 'clear'; version: number; start: K; end: K };

/** Reads the changes of a store. */
export async function* readKvChanges<K, V>(
  core: KvCore,
  options: KvChangesOptions,
  keyOf: (key: Buffer) => K,
  codec: ValueCodec<V>,
): AsyncGenerator<KvChange<K, V>, undefined, undefined> {
  for await (const change of core.data.changes(options)) {
    const version = change.sequence;
    if (change.type === 'delete') yield { type: 'delete', version, key: keyOf(change.key) };
    else if (change.type === 'deleteRange')
      yield { type: 'clear', version, start: keyOf(change.start), end: keyOf(change.end) };
    else {
      const { key, value: framed } = change;
      if (framed.length < EXPIRY_BYTES) throw foreign('a value without an expiry');
      const expiryMs = framed.readDoubleLE(0);
      // What is handed out is the caller's own: the record that it lies in is not.
      const value = codec.decode(Buffer.from(framed.subarray(EXPIRY_BYTES)));
      const expiresAt = core.clock.told(expiryMs);
      yield { type: 'set', version, key: keyOf(Buffer.from(key)), value, expiresAt };
    }
  }
  return undefined;
}
