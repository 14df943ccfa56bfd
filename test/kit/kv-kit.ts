/**
 * Stores of keys on a disk in memory, with a clock that a test drives and can set back. At the end of a test all
 * memory has been given back, or the test fails.
 *
 * @module
 */

import { afterAll, afterEach, expect } from 'vitest';
import type { KvOptions } from '../../src/kv/kv-options.ts';
import type { KvStore } from '../../src/kv/store.ts';
import { type Database, open } from '../../src/open.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { WallClock } from './clock.ts';

export class KvKit {
  readonly clock: WallClock = new WallClock();
  readonly #memoryBytes: number;
  #runtime: Runtime | undefined;
  #open: Database[] = [];

  constructor(memoryBytes: number) {
    this.#memoryBytes = memoryBytes;
  }

  get runtime(): Runtime {
    this.#runtime ??= createRuntime({ memoryBytes: this.#memoryBytes, threads: 1, clock: this.clock });
    return this.#runtime;
  }

  async open(vfs: Vfs = createMemoryVfs(), readOnly = false): Promise<Database> {
    const database = await open('/db', { runtime: this.runtime, vfs, readOnly });
    this.#open.push(database);
    return database;
  }

  /** A store of strings in a database of its own. */
  async store(options: KvOptions = {}, vfs?: Vfs): Promise<KvStore<string, string, string>> {
    const database = await this.open(vfs);
    return await database.kv('s', { ...options, values: 'utf8' as const, keys: 'utf8' as const });
  }

  /** Forgets all databases, which are closed or beyond that. */
  async end(): Promise<void> {
    for (const database of this.#open.splice(0)) await database.close().catch(() => undefined);
    const slabs = this.#runtime?.memory.slabs.inUse() ?? [];
    if (slabs.length > 0) this.#runtime = undefined;
    expect(slabs).toEqual([]);
  }

  async close(): Promise<void> {
    await this.#runtime?.close();
  }
}

/** A kit for the tests of a file. */
export function useKvKit(memoryBytes: number = 32 * 1024 * 1024): KvKit {
  const kit = new KvKit(memoryBytes);
  afterEach(() => kit.end());
  afterAll(() => kit.close());
  return kit;
}
