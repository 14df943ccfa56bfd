/**
 * What a workload does, as data: so that it can be written down, drawn from a seed, printed and made shorter.
 *
 * @module
 */

import type { Durability } from '../../src/log/sync-policy.ts';

export type Step =
  /** Appends one record each, all at once; `wait` for them or go on. */
  | { do: 'append'; bytes: readonly number[]; level?: Durability; wait?: boolean }
  | { do: 'many'; bytes: readonly number[]; level?: Durability; wait?: boolean }
  /** Takes the synchronous way in, and asks nothing until `reach`. */
  | { do: 'enqueue'; bytes: readonly number[] }
  /** Waits for the last record that was enqueued. */
  | { do: 'reach'; level: Durability }
  /** Appends record batches that were made elsewhere, each with these records. */
  | { do: 'batches'; bytes: readonly (readonly number[])[]; level?: Durability; wait?: boolean }
  /** Appends record batches that lie in the shared memory, as ingestion does. */
  | { do: 'framed'; bytes: readonly (readonly number[])[]; wait?: boolean }
  /** Waits for everything that was not waited for. */
  | { do: 'settle' }
  | { do: 'sync' }
  /** Removes what lies before a share (0 to 1) of what can be read. */
  | { do: 'truncate'; share: number }
  | { do: 'retain' }
  /** Compresses what is sealed, of a log that does that. */
  | { do: 'recompress' }
  /** Lets time pass. */
  | { do: 'pass'; ms: number }
  /** Reads from a share of the log on; from its beginning unless told. */
  | { do: 'read'; share?: number }
  | { do: 'get'; share: number }
  /** Reads along from now on, until the log is closed. */
  | { do: 'follow' }
  /** Another handle, which only reads, looks at what there is. */
  | { do: 'look' }
  | { do: 'verify' }
  /** Closes, with whatever is under way, and opens again. */
  | { do: 'reopen' };

/** A step in a few characters. */
export function describeStep({ do: name, ...rest }: Step): string {
  return `${name} ${JSON.stringify(rest)}`;
}
