/** What the benches write and how: the same records and the same callers for every engine. */

/** The payload of a record. */
export const RECORD_BYTES = 100;

/** How many different records there are; a power of two. */
const DISTINCT = 1024;

/**
 * Records of 100 bytes that do not repeat soon. The bytes come from a multiplicative generator (Lehmer,
 * with the multiplier of Park and Miller), so they are the same in every run.
 */
export const records: readonly Buffer[] = (() => {
  let state = 20_080_111;
  const bytes = Buffer.alloc(DISTINCT * RECORD_BYTES);
  for (let i = 0; i < bytes.length; i++) {
    state = (state * 48_271) % 0x7fffffff;
    bytes[i] = state & 0xff;
  }
  return Array.from({ length: DISTINCT }, (_, i) => bytes.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES));
})();

/** The record for a running number. */
export function recordAt(i: number): Buffer {
  return records[i & (DISTINCT - 1)]!;
}

/** Random integers below `limit`, the same for the same seed; the generator is the one above. */
export function randomIntegers(count: number, limit: number, seed: number): Float64Array {
  const numbers = new Float64Array(count);
  let state = (seed % 0x7ffffffe) + 1;
  for (let i = 0; i < count; i++) {
    state = (state * 48_271) % 0x7fffffff;
    numbers[i] = Math.floor((state / 0x7fffffff) * limit);
  }
  return numbers;
}

/**
 * Callers that each wait for their own answer before they ask again.
 *
 * @param clients how many ask at the same time
 * @param total how many questions there are in all
 * @param ask asks one, given its running number
 * @returns how many answers came in a second
 */
export async function closedLoop(
  clients: number,
  total: number,
  ask: (i: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  async function client(): Promise<void> {
    while (next < total) await ask(next++);
  }
  const began = performance.now();
  await Promise.all(Array.from({ length: clients }, client));
  return (total / (performance.now() - began)) * 1000;
}

/** How long each of `total` calls takes that are made one after the other, in microseconds, sorted. */
export async function latenciesUs(
  total: number,
  call: (i: number) => Promise<unknown>,
): Promise<Float64Array> {
  const latencies = new Float64Array(total);
  for (let i = 0; i < total; i++) {
    const began = performance.now();
    await call(i);
    latencies[i] = (performance.now() - began) * 1000;
  }
  return latencies.sort();
}

/** The same for a call that blocks. */
export function latenciesOfSyncUs(total: number, call: (i: number) => void): Float64Array {
  const latencies = new Float64Array(total);
  for (let i = 0; i < total; i++) {
    const began = performance.now();
    call(i);
    latencies[i] = (performance.now() - began) * 1000;
  }
  return latencies.sort();
}

/** Things done in a second. */
export function perSecond(count: number, beganMs: number): number {
  return (count / (performance.now() - beganMs)) * 1000;
}
