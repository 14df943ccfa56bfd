/**
 * What a store of log entries keeps of itself, under a key of its own: how often it was opened to be written to,
 * for the arrival of entries, and what it retains.
 *
 * @module
 */

import { VarveError } from '../errors.ts';

import type { EventRetention } from './retention.ts';

const FORMAT = 1;
/** As in an entry, a level and a component's hash: so that blocks with it are passed over like others. */
const MARK: Buffer = Buffer.from([0, 0]);

export interface StoreState {
  /** How often it was opened, and then written to. */
  opened: number;
  /** How long it keeps entries. */
  retention?: EventRetention | undefined;
}

/** The state of a store that nobody has written to. */
export function newState(): StoreState {
  return { opened: 0 };
}

export function encodeState(state: StoreState): Buffer {
  return Buffer.concat([MARK, Buffer.from(JSON.stringify({ format: FORMAT, ...state }))]);
}

/**
 * @param store its name, for what is said where it is broken
 * @throws VarveError `CORRUPT`; `VERSION` where a newer build wrote it
 */
export function decodeState(bytes: Buffer, store: string): StoreState {
  let read: Partial<StoreState> & { format?: number };
  try {
    read = JSON.parse(bytes.toString('utf8', MARK.length)) as typeof read;
  } catch (cause) {
    throw new VarveError('CORRUPT', `the state of the store ${store} is no JSON`, { cause });
  }
  if (read.format !== FORMAT) {
    throw new VarveError(
      'VERSION',
      `the store ${store} has format ${String(read.format)}; this build knows ${FORMAT}`,
    );
  }
  const { opened, retention } = read;
  if (!Number.isSafeInteger(opened))
    throw new VarveError('CORRUPT', `the state of the store ${store} is broken`);
  return { opened: opened as number, ...(retention !== undefined && { retention }) };
}
