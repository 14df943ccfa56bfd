/**
 * Runs abstract-level's own suite over `varve/level`, and prints its results as TAP. It is a program of its own, since
 * tape takes the process for itself.
 */

import { createRequire } from 'node:module';
import { createRuntime, type Runtime } from '../../src/index.ts';
import { VarveLevel } from '../../src/level/level.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';

const load = createRequire(import.meta.url);
const test = load('tape') as { onFinish(callback: () => void): void };
const suite = load('abstract-level/test') as (options: object) => void;

// The suite opens hundreds of databases, whose fdatasyncs would take a minute on a disk.
const vfs = createMemoryVfs();
let runtime: Runtime;
let made = 0;

/** The suite closes sublevels and leaves the databases below them open, so no memory would have room for all. */
function factory(options: object): VarveLevel {
  if (made % 50 === 0) runtime = createRuntime({ memoryBytes: 64 * 1024 * 1024, threads: 1 });
  return new VarveLevel(`/level/db${made++}`, { runtime, vfs, ...options });
}

// Timers of the engine keep no process alive.
setInterval(() => undefined, 1000);

suite({ test, factory });

test.onFinish(() => {
  // Databases that the suite leaves open belong to the process.
  process.exit();
});
