/**
 * Worker threads for work that is long enough to be worth the trip (half a millisecond and more), run by
 * piscina. What this adds to it:
 *
 * - working memory: each task gets a slab of the shared memory while it runs;
 * - a queue of our own, so that a task can be taken back before it begins. One that runs is always waited
 *   for: it writes to memory that must not become somebody else's meanwhile;
 * - errors that arrive as what they were.
 *
 * Threads start with the first task, and do not keep the process alive while they are idle.
 *
 * @module
 */

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import { type Clock, systemClock } from '../clock.ts';
import { VarveError } from '../errors.ts';
import { SCRATCH_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { checkOptions, integerOption } from '../options.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { unpackError } from './packed-error.ts';
import {
  loadedTask,
  loadTask,
  type Task,
  type TaskArgs,
  type TaskContext,
  type TaskName,
  type TaskResult,
  taskBytes,
} from './tasks.ts';
import type { TaskAnswer, TaskMessage, WorkerData } from './worker.ts';

export interface PoolOptions {
  /** Worker threads; 0 runs tasks on the calling thread. One less than there are cores, from 1 to 4, unless given. */
  threads?: number;
  /** Tasks that may wait; default 1,024. */
  maxQueue?: number;
  clock?: Clock;
}

export interface RunOptions {
  /** Takes a task back that waits; of one that runs, the result is dropped when it is done. */
  signal?: AbortSignal;
  /** The disk. One that is not the real one does not reach other threads: the task runs on the calling one then. */
  vfs?: Vfs;
}

export interface PoolMetrics {
  threads: number;
  running: number;
  queued: number;
  completed: number;
  failed: number;
  /** The share of the threads' time since the first task in which they had one: from 0 to 1. */
  utilization: number;
}

const THREADS_DEFAULT_MAX = 4;
const THREADS_MAX = 64;
const MAX_QUEUE_DEFAULT = 1024;
/** A thread that has nothing to do for so long is ended, but for the last. */
const IDLE_MS = 30_000;

interface Job {
  name: TaskName;
  task: Task<TaskName>;
  args: TaskArgs<TaskName>;
  signal: AbortSignal | undefined;
  vfs: Vfs;
  onAbort: () => void;
  resolve: (value: TaskResult<TaskName>) => void;
  reject: (error: unknown) => void;
}

let loading: Promise<{ Piscina: typeof Piscina }> | undefined;

/**
 * Loads piscina with the first task, so that a program which has none does not. Once: tasks that come at the
 * same time must not import it at the same time, which Node 20 does not survive.
 */
function loadPiscina(): Promise<{ Piscina: typeof Piscina }> {
  const piscina = loading ?? import('piscina');
  loading = piscina;
  return piscina;
}

/** The file that threads run: beside this one where it is compiled, else the one that was built from it. */
function workerFile(): string {
  const isSource = import.meta.url.endsWith('.ts');
  const path = isSource ? '../../dist/pool/worker.js' : './worker.js';
  return fileURLToPath(new URL(path, import.meta.url));
}

export class Pool {
  readonly threads: number;
  readonly #memory: Memory;
  readonly #maxQueue: number;
  readonly #clock: Clock;
  readonly #queue: Job[] = [];
  #running = 0;
  #completed = 0;
  #failed = 0;
  #busyMs = 0;
  #startMs: number | undefined;
  #piscina: Piscina | undefined;
  /** Threads that are being ended after a failure. */
  #ending: Promise<void> = Promise.resolve();
  #failure: unknown;
  #onIdle: (() => void) | undefined;
  /** Working memory for one task where there is no other, and how many want it to be kept. */
  #reserve: Slab | undefined;
  #isReserveUsed = false;
  #reserveHolders = 0;
  #closing: Promise<void> | undefined;

  /** @throws TypeError, RangeError where an option is wrong */
  constructor(memory: Memory, options: PoolOptions = {}) {
    checkOptions('pool options', options, ['threads', 'maxQueue', 'clock']);
    const cores = availableParallelism();
    const threads = Math.max(1, Math.min(THREADS_DEFAULT_MAX, cores - 1));
    this.threads = integerOption('threads', options.threads, threads, 0, THREADS_MAX);
    this.#maxQueue = integerOption('maxQueue', options.maxQueue, MAX_QUEUE_DEFAULT, 1);
    this.#memory = memory;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Runs a task.
   *
   * @param name which one
   * @param args what it is given; memory that it points at must stay as it is until the promise settles
   * @throws what the task throws; the signal's reason; VarveError `BACKPRESSURE` where too many wait,
   * `NO_MEMORY` where there is no working memory, `CLOSED`, `IO` where a thread ended under the task
   */
  run<N extends TaskName>(name: N, args: TaskArgs<N>, options: RunOptions = {}): Promise<TaskResult<N>> {
    const task = loadedTask(name);
    if (task === undefined)
      return loadTask(name).then((loaded) => this.#queueTask(name, loaded, args, options));
    return this.#queueTask(name, task, args, options);
  }

  #queueTask<N extends TaskName>(
    name: N,
    task: Task<N>,
    args: TaskArgs<N>,
    { signal, vfs = nodeVfs }: RunOptions,
  ): Promise<TaskResult<N>> {
    return new Promise<TaskResult<TaskName>>((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closing !== undefined) throw closedError();
      if (this.#queue.length >= this.#maxQueue) {
        throw new VarveError('BACKPRESSURE', `${this.#queue.length} tasks wait for a thread already`);
      }
      const onAbort = (): void => {
        const index = this.#queue.indexOf(job);
        if (index < 0) return;
        this.#queue.splice(index, 1);
        reject(signal?.reason as Error);
      };
      const any = task as unknown as Task<TaskName>;
      const job: Job = { name, task: any, args, signal, vfs, onAbort, resolve, reject };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(job);
      this.#next();
    });
  }

  /**
   * Runs a task on the calling thread: for what is too short for a trip to another.
   *
   * @throws what the task throws; VarveError `NO_MEMORY`, `CLOSED`
   */
  async runHere<N extends TaskName>(name: N, args: TaskArgs<N>): Promise<TaskResult<N>> {
    const task = await loadTask(name);
    if (this.#closing !== undefined) throw closedError();
    const slab = this.#memory.slabs.allocate(taskBytes(task, args), `task ${name}`);
    try {
      return await task.run(this.#contextOf(slab.address, nodeVfs), args);
    } finally {
      slab.release();
    }
  }

  /**
   * Keeps working memory for one task at a time, for who would never get any: tasks that give memory back must not
   * want for it. Those that need more than that have to find it elsewhere.
   *
   * @returns what lets go of it
   */
  reserve(bytes: number): () => void {
    this.#reserveHolders++;
    this.#reserve ??= this.#memory.slabs.tryAllocate(SCRATCH_BYTES + bytes, 'reserve of tasks');
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#reserveHolders--;
      this.#dropReserve();
    };
  }

  /** Gives the reserve back when nobody wants it any more. */
  #dropReserve(): void {
    if (this.#reserveHolders > 0 || this.#isReserveUsed) return;
    this.#reserve?.release();
    this.#reserve = undefined;
  }

  #takeMemory(bytes: number, name: TaskName): Slab | undefined {
    const slab = this.#memory.slabs.tryAllocate(bytes, `task ${name}`);
    if (slab !== undefined) return slab;
    const reserve = this.#reserve;
    if (reserve === undefined || this.#isReserveUsed || reserve.bytes < bytes) return undefined;
    this.#isReserveUsed = true;
    return reserve;
  }

  #giveMemory(slab: Slab): void {
    if (slab !== this.#reserve) {
      slab.release();
      return;
    }
    this.#isReserveUsed = false;
    this.#dropReserve();
  }

  /** Threads that have nothing to do, and nothing that waits for them. */
  get idleThreads(): number {
    return Math.max(0, this.threads - this.#running - this.#queue.length);
  }

  /**
   * Starts a thread before there is a task, and loads the code of those that will come: for who knows that there
   * will be enough of them. Where it cannot be started, the first task is told.
   */
  async warm(name: TaskName): Promise<void> {
    if (this.threads === 0 || this.#closing !== undefined) return;
    const { Piscina: create } = await loadPiscina();
    // `#close` may have come meanwhile.
    if (this.#closing === undefined) this.#piscina ??= this.#start(create, name);
  }

  /** Counters, at this moment. */
  metrics(): PoolMetrics {
    const elapsedMs = this.#startMs === undefined ? 0 : this.#clock.monotonic() - this.#startMs;
    const capacityMs = Math.max(1, this.threads) * elapsedMs;
    return {
      threads: this.threads,
      running: this.#running,
      queued: this.#queue.length,
      completed: this.#completed,
      failed: this.#failed,
      utilization: capacityMs === 0 ? 0 : Math.min(1, this.#busyMs / capacityMs),
    };
  }

  /** Gives up the tasks that wait, lets those that run come to their end, and ends the threads. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const job of this.#queue.splice(0)) this.#drop(job, closedError());
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#ending;
    const piscina = this.#piscina;
    this.#piscina = undefined;
    await piscina?.destroy();
  }

  /** Begins the tasks that there are threads and memory for. */
  #next(): void {
    while (this.#queue.length > 0 && this.#running < Math.max(1, this.threads)) {
      const job = this.#queue[0] as Job;
      const bytes = SCRATCH_BYTES + taskBytes(job.task, job.args);
      const slab = this.#takeMemory(bytes, job.name);
      // What runs will give its memory back. Where nothing runs, nobody may.
      if (slab === undefined && this.#running > 0) return;
      this.#queue.shift();
      if (slab === undefined) this.#drop(job, noMemory(job.name, bytes));
      else void this.#begin(job, slab);
    }
  }

  /** Gives up a task that has not begun. */
  #drop(job: Job, error: VarveError): void {
    job.signal?.removeEventListener('abort', job.onAbort);
    job.reject(error);
  }

  /** Runs a task to its end. It never rejects. */
  async #begin(job: Job, slab: Slab): Promise<void> {
    this.#running++;
    const startMs = this.#clock.monotonic();
    this.#startMs ??= startMs;
    let settle: () => void;
    try {
      const value = await this.#execute(job, slab);
      this.#completed++;
      settle = () => job.resolve(value);
    } catch (error) {
      this.#failed++;
      settle = () => job.reject(error);
    }
    this.#giveMemory(slab);
    this.#running--;
    this.#busyMs += this.#clock.monotonic() - startMs;
    job.signal?.removeEventListener('abort', job.onAbort);
    if (job.signal?.aborted === true) job.reject(job.signal.reason as Error);
    else settle();
    this.#next();
    if (this.#running === 0) this.#onIdle?.();
  }

  async #execute(job: Job, slab: Slab): Promise<TaskResult<TaskName>> {
    const { name, task, args } = job;
    if (this.threads === 0 || job.vfs !== nodeVfs) {
      return task.run(this.#contextOf(slab.address + SCRATCH_BYTES, job.vfs), args);
    }
    const message: TaskMessage<TaskName> = { name, args, scratch: slab.address };
    let answer: TaskAnswer<TaskName>;
    try {
      const { Piscina: create } = await loadPiscina();
      this.#piscina ??= this.#start(create, name);
      answer = (await this.#piscina.run(message)) as TaskAnswer<TaskName>;
    } catch (error) {
      // Not before all threads are at their end may the memory be given to others.
      await this.#ending;
      throw threadError(name, this.#failure ?? error);
    }
    if ('error' in answer) throw unpackError(answer.error);
    return answer.value;
  }

  #contextOf(work: number, vfs: Vfs): TaskContext {
    return { memory: this.#memory, work, vfs, clock: this.#clock };
  }

  #start(create: typeof Piscina, first: TaskName): Piscina {
    const data: WorkerData = { memory: this.#memory.share(), first };
    const piscina = new create({
      filename: workerFile(),
      name: 'run',
      workerData: data,
      minThreads: 1,
      maxThreads: this.threads,
      idleTimeout: IDLE_MS,
      recordTiming: false,
      atomics: 'sync',
    });
    this.#failure = undefined;
    // A thread that cannot start is an event, not the failure of a task; the tasks would wait for ever.
    piscina.on('error', (error: unknown) => this.#giveUp(piscina, error));
    piscina.on('workerDestroy', () => {
      this.#clock.nextTurn(() => {
        const isStuck = this.#running > 0 && piscina.threads.length === 0;
        if (isStuck) this.#giveUp(piscina, new Error('a worker thread was ended while it started'));
      });
    });
    return piscina;
  }

  /** Ends all threads of a pool that does not work; the next task starts others. */
  #giveUp(piscina: Piscina, error: unknown): void {
    if (this.#piscina !== piscina) return;
    this.#piscina = undefined;
    this.#failure = error;
    this.#ending = piscina.destroy();
  }
}

function closedError(): VarveError {
  return new VarveError('CLOSED', 'the pool of worker threads is closed');
}

function noMemory(name: TaskName, bytes: number): VarveError {
  return new VarveError('NO_MEMORY', `no ${bytes} bytes of memory left for the task ${name}`);
}

function threadError(name: TaskName, cause: unknown): VarveError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new VarveError('IO', `a worker thread ended while it ran the task ${name}: ${reason}`, { cause });
}
