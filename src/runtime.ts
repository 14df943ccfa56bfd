/**
 * What all databases of a process share: the memory, the worker threads and the time.
 *
 * @module
 */

import { type Clock, systemClock } from './clock.ts';
import { MEMORY_BYTES_DEFAULT, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN } from './limits.ts';
import { Memory } from './memory/memory.ts';
import { checkOptions, integerOption } from './options.ts';
import { Pool } from './pool/pool.ts';

export interface RuntimeOptions {
  /** The shared memory, which is the budget of everything; 256 MiB unless given. */
  memoryBytes?: number;
  /** Worker threads; one less than there are cores, at least 1 and at most 4, unless given. */
  threads?: number;
  clock?: Clock;
}

const THREADS_MAX = 64;

export class Runtime {
  readonly memory: Memory;
  readonly clock: Clock;
  /** The worker threads; they are started when the first task comes. */
  readonly pool: Pool;

  constructor(memory: Memory, clock: Clock, pool: Pool) {
    this.memory = memory;
    this.clock = clock;
    this.pool = pool;
  }

  /** Ends the worker threads. The memory goes when nobody holds it any more. */
  async close(): Promise<void> {
    await this.pool.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Makes a runtime of its own; `open` uses one that the process shares unless it is given another.
 *
 * @throws TypeError, RangeError where an option is wrong
 * @throws VarveError `NO_MEMORY` where the memory cannot be reserved
 */
export function createRuntime(options: RuntimeOptions = {}): Runtime {
  checkOptions('runtime options', options, ['memoryBytes', 'threads', 'clock']);
  const memoryBytes = integerOption(
    'memoryBytes',
    options.memoryBytes,
    MEMORY_BYTES_DEFAULT,
    MEMORY_BYTES_MIN,
    MEMORY_BYTES_MAX,
  );
  const threads =
    options.threads === undefined ? undefined : integerOption('threads', options.threads, 1, 1, THREADS_MAX);
  const memory = Memory.create(memoryBytes);
  return new Runtime(memory, options.clock ?? systemClock, new Pool(memory, { threads }));
}

let shared: Runtime | undefined;

/** The runtime that the process shares; made when it is first asked for. */
export function sharedRuntime(): Runtime {
  shared ??= createRuntime();
  return shared;
}
