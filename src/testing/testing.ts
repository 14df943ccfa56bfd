/**
 * `varve/testing`: file systems for tests, of varve and of programs that use it. One lives in memory, one can
 * lose its power at any moment, one fails on demand. Each keeps the disk contract and can be given to
 * `open` in place of the real disk; no other part of varve depends on them.
 *
 * @module
 */

export { createMemoryVfs, type Operation, type OperationName } from '../vfs/memory.ts';
export type { FileStat, OpenMode, Vfs, VfsFile, VfsLock } from '../vfs/vfs.ts';
export { type CrashChoice, type CrashOptions, CrashVfs } from './crash.ts';
export { createFaultVfs, type FaultRule, type FaultVfs } from './fault.ts';
export type { ChosenPlan, CrashPlan, SeededPlan } from './plan.ts';
