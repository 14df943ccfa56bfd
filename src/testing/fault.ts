/**
 * A file system that goes wrong on demand, around one that does not: it fails, delays or cuts short the
 * operations that its rules name. An error looks as it would from the real disk: a `VarveError` whose cause
 * has the code of the operating system.
 *
 * Operations are numbered from 0 in the order in which they begin, so that a test can fail each in turn
 * until the workload meets no fault any more:
 *
 * ```ts
 * for (let at = 0, met = true; met; at++) {
 *   const vfs = createFaultVfs(createMemoryVfs(), [{ at, error: 'EIO' }]);
 *   await runWorkloadThatMayFail(vfs);
 *   met = vfs.injected > 0;
 * }
 * ```
 *
 * @module
 */

import { fromSystem, type VarveError } from '../errors.ts';
import { closedError, systemError } from '../vfs/checks.ts';
import { Flights } from '../vfs/flights.ts';
import type { Operation, OperationName } from '../vfs/memory.ts';
import type { FileStat, OpenMode, Vfs, VfsFile, VfsLock } from '../vfs/vfs.ts';

/** Which operations go wrong, and how. An operation follows the first rule that matches it. */
export interface FaultRule {
  /** Only the operation with this number. */
  at?: number;
  /** Only operations of this kind, or these. */
  operation?: OperationName | readonly OperationName[];
  /** Only operations on files whose path (of a rename: the old or the new one) matches. */
  path?: RegExp | ((path: string) => boolean);
  /** How many that match are let through first; 0 unless told. */
  skip?: number;
  /** How many that match go wrong after that; all unless told. */
  times?: number;

  /** Waits for this before anything else. Operations that are synchronous do not wait. */
  delay?: () => Promise<void>;
  /** Fails with this code of the operating system: `EIO`, `ENOSPC`, `EROFS`, `EMFILE`, `EINTR`, … */
  error?: string;
  /** With `error`, of a read or a write: so many bytes are moved before it fails. */
  afterBytes?: number;
  /** With `error`: fails only after the operation was carried out. */
  late?: boolean;
  /** A read returns no more than this many bytes, as if the file ended there. */
  shortenTo?: number;
  /** A read that covers the byte at `position` of the file finds the bits of `mask` (1 unless told) flipped. */
  flip?: { position: number; mask?: number };
}

/** A file system with faults; see {@link createFaultVfs}. */
export interface FaultVfs extends Vfs {
  /** All operations so far, in the order in which they began. */
  readonly trace: readonly Operation[];
  /** How many operations there were. */
  readonly operations: number;
  /** How many of them followed a rule. */
  readonly injected: number;
  /** How many files are open: 0 where nothing leaks. */
  readonly openFiles: number;
}

/**
 * Puts faults around a file system. To give back a lock never fails and is no operation; a `close` that
 * fails has closed the file all the same.
 *
 * @param inner what carries the operations out
 * @param rules tried in this order; they may be changed between operations
 */
export function createFaultVfs(inner: Vfs, rules: readonly FaultRule[]): FaultVfs {
  return new FaultyDisk(inner, rules);
}

const NO_RULE: FaultRule = {};

class FaultyDisk implements FaultVfs {
  readonly #inner: Vfs;
  readonly #rules: readonly FaultRule[];
  readonly #matched = new Map<FaultRule, number>();
  readonly #trace: Operation[] = [];
  #injected = 0;
  #openFiles = 0;

  constructor(inner: Vfs, rules: readonly FaultRule[]) {
    this.#inner = inner;
    this.#rules = rules;
  }

  get trace(): readonly Operation[] {
    return this.#trace;
  }

  get operations(): number {
    return this.#trace.length;
  }

  get injected(): number {
    return this.#injected;
  }

  get openFiles(): number {
    return this.#openFiles;
  }

  /** Numbers an operation and finds the rule that it follows. */
  next(operation: Operation): FaultRule {
    const number = this.#trace.push(operation) - 1;
    for (const rule of this.#rules) {
      if (!matches(rule, operation, number)) continue;
      const before = this.#matched.get(rule) ?? 0;
      this.#matched.set(rule, before + 1);
      const { skip = 0, times = Number.POSITIVE_INFINITY } = rule;
      if (before < skip || before >= skip + times) continue;
      this.#injected++;
      return rule;
    }
    return NO_RULE;
  }

  /** Carries out an operation as its rule wants it; `undo` takes back what a late error leaves behind. */
  async run<T>(operation: Operation, act: () => Promise<T>, undo?: (done: T) => Promise<void>): Promise<T> {
    const rule = this.next(operation);
    await rule.delay?.();
    if (rule.error === undefined) return act();
    if (rule.late === true) {
      const done = await act();
      await undo?.(done);
    }
    throw errorOf(rule.error, operation);
  }

  async open(path: string, mode: OpenMode): Promise<VfsFile> {
    const file = await this.run(
      { op: 'open', path },
      () => this.#inner.open(path, mode),
      (opened) => opened.close(),
    );
    this.#openFiles++;
    return new FaultyFile(this, file, () => {
      this.#openFiles--;
    });
  }

  readdir(path: string): Promise<string[]> {
    return this.run({ op: 'readdir', path }, () => this.#inner.readdir(path));
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.run({ op: 'stat', path }, () => this.#inner.stat(path));
  }

  mkdir(path: string): Promise<void> {
    return this.run({ op: 'mkdir', path }, () => this.#inner.mkdir(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.run({ op: 'rename', path: from, to }, () => this.#inner.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.run({ op: 'remove', path }, () => this.#inner.remove(path));
  }

  removeDir(path: string): Promise<void> {
    return this.run({ op: 'removeDir', path }, () => this.#inner.removeDir(path));
  }

  syncDir(path: string): Promise<void> {
    return this.run({ op: 'syncDir', path }, () => this.#inner.syncDir(path));
  }

  lock(directory: string): Promise<VfsLock> {
    return this.run(
      { op: 'lock', path: directory },
      () => this.#inner.lock(directory),
      (lock) => lock.release(),
    );
  }
}

class FaultyFile implements VfsFile {
  readonly path: string;
  /** Other threads would read past the faults. */
  readonly handle = undefined;
  readonly #disk: FaultyDisk;
  readonly #inner: VfsFile;
  readonly #onClose: () => void;
  readonly #flights = new Flights();
  #closing: Promise<void> | undefined;

  constructor(disk: FaultyDisk, inner: VfsFile, onClose: () => void) {
    this.path = inner.path;
    this.#disk = disk;
    this.#inner = inner;
    this.#onClose = onClose;
  }

  size(): Promise<number> {
    return this.#call(() => this.#disk.run({ op: 'size', path: this.path }, () => this.#inner.size()));
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#call(async () => {
      const operation = transfer('read', this.path, target, position);
      const rule = this.#disk.next(operation);
      await rule.delay?.();
      if (rule.error !== undefined) {
        const moved = part(target, rule);
        if (moved.length > 0) await this.#inner.read(moved, position);
        throw errorOf(rule.error, operation);
      }
      return flipped(rule, target, position, await this.#inner.read(shortened(target, rule), position));
    });
  }

  readSync(target: Uint8Array, position: number): number {
    this.#check();
    const operation = transfer('read', this.path, target, position);
    const rule = this.#disk.next(operation);
    if (rule.error !== undefined) {
      const moved = part(target, rule);
      if (moved.length > 0) this.#inner.readSync(moved, position);
      throw errorOf(rule.error, operation);
    }
    return flipped(rule, target, position, this.#inner.readSync(shortened(target, rule), position));
  }

  write(source: Uint8Array, position: number): Promise<void> {
    return this.#call(async () => {
      const operation = transfer('write', this.path, source, position);
      const rule = this.#disk.next(operation);
      await rule.delay?.();
      if (rule.error === undefined) return this.#inner.write(source, position);
      const moved = part(source, rule);
      if (moved.length > 0) await this.#inner.write(moved, position);
      throw errorOf(rule.error, operation);
    });
  }

  writeSync(source: Uint8Array, position: number): void {
    this.#check();
    const operation = transfer('write', this.path, source, position);
    const rule = this.#disk.next(operation);
    if (rule.error === undefined) return this.#inner.writeSync(source, position);
    const moved = part(source, rule);
    if (moved.length > 0) this.#inner.writeSync(moved, position);
    throw errorOf(rule.error, operation);
  }

  datasync(): Promise<void> {
    return this.#call(() =>
      this.#disk.run({ op: 'datasync', path: this.path }, () => this.#inner.datasync()),
    );
  }

  truncate(bytes: number): Promise<void> {
    return this.#call(() =>
      this.#disk.run({ op: 'truncate', path: this.path, bytes }, () => this.#inner.truncate(bytes)),
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const operation: Operation = { op: 'close', path: this.path };
    const rule = this.#disk.next(operation);
    await this.#flights.idle();
    await rule.delay?.();
    this.#onClose();
    await this.#inner.close();
    if (rule.error !== undefined) throw errorOf(rule.error, operation);
  }

  #check(): void {
    if (this.#closing !== undefined) throw closedError(this.path);
  }

  /** Keeps the file open while a call is in flight, which a delay can make long. */
  async #call<T>(act: () => Promise<T>): Promise<T> {
    this.#check();
    this.#flights.begin();
    try {
      return await act();
    } finally {
      this.#flights.end();
    }
  }
}

function matches(rule: FaultRule, operation: Operation, number: number): boolean {
  if (rule.at !== undefined && rule.at !== number) return false;
  if (rule.operation !== undefined && ![rule.operation].flat().includes(operation.op)) return false;
  const { path } = rule;
  if (path === undefined) return true;
  // A pattern with the flag `g` would remember where it was; `search` does not.
  const fits = (name: string): boolean => (path instanceof RegExp ? name.search(path) !== -1 : path(name));
  return fits(operation.path) || (operation.to !== undefined && fits(operation.to));
}

function transfer(op: 'read' | 'write', path: string, bytes: Uint8Array, position: number): Operation {
  return { op, path, position, bytes: bytes.length };
}

/** What is moved before the error: nothing, some bytes, or (late) all. */
function part(bytes: Uint8Array, rule: FaultRule): Uint8Array {
  return rule.late === true ? bytes : bytes.subarray(0, rule.afterBytes ?? 0);
}

function shortened(target: Uint8Array, rule: FaultRule): Uint8Array {
  return rule.shortenTo === undefined ? target : target.subarray(0, rule.shortenTo);
}

/** Flips what the rule wants flipped among the `read` bytes of `target`. */
function flipped(rule: FaultRule, target: Uint8Array, position: number, read: number): number {
  if (rule.flip === undefined) return read;
  const at = rule.flip.position - position;
  if (at >= 0 && at < read) target[at] = (target[at] as number) ^ (rule.flip.mask ?? 1);
  return read;
}

function errorOf(code: string, { op, path }: Operation): VarveError {
  return fromSystem(systemError(code, op, path), op, path);
}
