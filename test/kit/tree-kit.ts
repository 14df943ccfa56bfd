/**
 * Trees on a disk in memory, with a small shared memory and a clock that stands still. At the end of a test every
 * slab and every file handle has been given back, or the test fails.
 *
 * @module
 */

import { afterEach, expect } from 'vitest';
import { mergeTables, mergeTablesBytes } from '../../src/lsm/compaction/merge-tables.ts';
import { writeRun, writeRunBytes } from '../../src/lsm/compaction/write-run.ts';
import type { TreesParts } from '../../src/lsm/shared-parts.ts';
import { sortCells, sortCellsBytes } from '../../src/lsm/sort-cells.ts';
import type { TableWork } from '../../src/lsm/tasks.ts';
import { Tree } from '../../src/lsm/tree.ts';
import type { TreeOptions } from '../../src/lsm/tree-options.ts';
import { Trees } from '../../src/lsm/trees.ts';
import { Memory } from '../../src/memory/memory.ts';
import { createFaultVfs, type FaultRule, type FaultVfs } from '../../src/testing/fault.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { VirtualClock } from './clock.ts';
import { soon } from './log-kit.ts';

export const DATABASE = '/db';

export interface TreeDisk {
  readonly vfs: FaultVfs;
  readonly rules: FaultRule[];
  readonly inner: Vfs;
}

/** A database of trees, and the handles that tests use. */
export interface OpenTrees {
  trees: Trees;
  tree(name?: string, options?: TreeOptions): Promise<Tree>;
}

export class TreeKit {
  clock: VirtualClock = new VirtualClock();
  readonly #memoryBytes: number;
  #memory: Memory | undefined;
  #open: Trees[] = [];
  #disks: FaultVfs[] = [];

  constructor(memoryBytes: number) {
    this.#memoryBytes = memoryBytes;
  }

  get memory(): Memory {
    this.#memory ??= Memory.create(this.#memoryBytes);
    return this.#memory;
  }

  async disk(rules: FaultRule[] = []): Promise<TreeDisk> {
    const inner = createMemoryVfs();
    await inner.mkdir(DATABASE);
    return this.wrap(inner, rules);
  }

  /** Puts faults around a disk, and watches over its handles. */
  wrap(inner: Vfs, rules: FaultRule[] = []): TreeDisk {
    const vfs = createFaultVfs(inner, rules);
    this.#disks.push(vfs);
    return { vfs, rules, inner };
  }

  async open(disk: { vfs: Vfs }, parts: Partial<TreesParts> = {}): Promise<OpenTrees> {
    const { memory, clock } = this;
    const { vfs } = disk;
    const trees = await Trees.open({
      directory: DATABASE,
      memory,
      vfs,
      clock,
      readOnly: false,
      tasks: this.#tasks(vfs),
      ...parts,
    });
    this.#open.push(trees);
    return {
      trees,
      tree: async (name = 'one', options = {}) => new Tree(trees, await trees.tree(name, options)),
    };
  }

  /** Ends a test: closes what is open and looks for what was not given back. */
  async end(): Promise<void> {
    for (const trees of this.#open.splice(0)) {
      await soon(
        trees.close().catch(() => undefined),
        'trees never close',
      );
    }
    const slabs = this.#memory?.slabs.inUse() ?? [];
    const openFiles = this.#disks.splice(0).reduce((sum, { openFiles: count }) => sum + count, 0);
    if (slabs.length > 0) this.#memory = undefined;
    this.clock = new VirtualClock();
    expect({ slabs, openFiles }).toEqual({ slabs: [], openFiles: 0 });
  }

  #tasks(vfs: Vfs): TableWork {
    const { memory, clock } = this;
    async function run<A, R>(
      task: (context: { memory: Memory; work: number; vfs: Vfs; clock: VirtualClock }, args: A) => Promise<R>,
      bytes: number,
      args: A,
    ): Promise<R> {
      const slab = memory.slabs.allocate(bytes, 'task');
      try {
        return await task({ memory, work: slab.address, vfs, clock }, args);
      } finally {
        slab.release();
      }
    }
    return {
      sortCells: (args) =>
        run(async ({ work }, asked) => sortCells(memory, work, asked), sortCellsBytes(args), args),
      writeRun: (args) => run(writeRun, writeRunBytes(args), args),
      mergeTables: (args) => run(mergeTables, mergeTablesBytes(args), args),
    };
  }
}

/** A kit for the tests of a file; each ends with the search for leaks. */
export function useTreeKit(memoryBytes: number = 48 * 1024 * 1024): TreeKit {
  const kit = new TreeKit(memoryBytes);
  afterEach(() => kit.end());
  return kit;
}
