/**
 * Scans a text, on as many threads as pay.
 *
 * A file is cut into ranges. This thread scans them one after the other; when it sees that there is more work
 * left than it takes to start a worker, workers scan ranges too, and the results come in the order of the file
 * all the same. Ranges of workers are larger: they wait for this thread between two of them, and it answers
 * only between two of its own.
 *
 * A stream, a file that no other thread can read, and a scanner that must see all lines in order (since it
 * remembers the last) stay on this thread.
 *
 * @module
 */

import type { Slab } from '../memory/slabs.ts';
import type { TaskArgs, TaskName, TaskResult } from '../pool/tasks.ts';
import type { Runtime } from '../runtime.ts';
import type { LineRange } from '../scan/ranges.ts';
import {
  SCAN_BYTES,
  SCAN_LINE_BYTES_MAX,
  type ScanArgs,
  type ScanKind,
  type Scanner,
  scanRange,
} from '../scan/scanner.ts';
import type { PlainText, TextSource } from '../text/source.ts';
import { WindowReader } from '../text/windows.ts';

const MIB: number = 1024 * 1024;
const OWN_RANGE_BYTES: number = 2 * MIB;
const WORKER_RANGE_BYTES: number = 8 * MIB;
/** Where a result has about the same size whatever the range, a worker waits for this thread less often. */
const SMALL_RESULT_RANGE_BYTES: number = 64 * MIB;
/** Near the end ranges of workers become smaller, so that nobody waits long for the last of them. */
const WORKER_RANGE_BYTES_MIN: number = 2 * MIB;
const STREAM_WINDOW_BYTES: number = 256 * 1024;
/** What it takes to load piscina and to start a thread, and somewhat more. */
const START_MS = 120;
/** Results that wait for one before them: as much text as makes so many bytes of them. */
const WAITING_BYTES_MAX: number = 32 * MIB;
const WAITING_RESULTS_MAX = 256;

/** The names of the tasks that scan with a specification of type S, and return an R. */
type ScanTaskName<S, R> = {
  [N in TaskName]: TaskArgs<N> extends ScanArgs<S> ? (TaskResult<N> extends R ? N : never) : never;
}[TaskName];

export interface TextScan<S, R> {
  /** The task of the pool that runs this kind. */
  task: ScanTaskName<S, R>;
  kind: ScanKind<S, R>;
  spec: S;
  /** About how many bytes of memory a result has. */
  bytesOf: (result: R) => number;
  /** Whether results are small, and do not grow with the text. */
  hasSmallResults?: boolean | undefined;
  /** About how many bytes a thread scans in a millisecond: what has many more starts threads at once. */
  bytesPerMs: number;
  /** Whether one scanner must see all lines, in order. */
  inOrder?: boolean | undefined;
}

export interface ScanOptions {
  signal?: AbortSignal | undefined;
  /** Called now and then with the bytes of the text that were scanned. */
  onProgress?: ((bytes: number) => void) | undefined;
}

/** What was found in a part of the text. */
export interface Scanned<R> {
  result: R;
  /** How many bytes of the text it covers, together with those before. */
  bytes: number;
}

/**
 * Scans a text to its end.
 *
 * @returns what was found in one part of the text after the other
 * @throws the signal's reason; VarveError `IO` where the text cannot be read, `NO_MEMORY`
 */
export async function* scanText<S, R>(
  runtime: Runtime,
  source: TextSource,
  scan: TextScan<S, R>,
  options: ScanOptions = {},
): AsyncGenerator<Scanned<R>, void, undefined> {
  const { plain } = source;
  const slab = runtime.memory.slabs.allocate(SCAN_BYTES, 'scan');
  try {
    if (plain === undefined) yield* scanStream(runtime, source, scan, options, slab);
    else yield* new FileScan(runtime, plain, scan, options, slab).run();
  } finally {
    slab.release();
  }
}

async function* scanStream<S, R>(
  runtime: Runtime,
  source: TextSource,
  { kind, spec }: TextScan<S, R>,
  { signal, onProgress }: ScanOptions,
  slab: Slab,
): AsyncGenerator<Scanned<R>, void, undefined> {
  const { memory } = runtime;
  const scanner = kind.create(memory, slab.address, spec);
  const reader = new WindowReader({
    memory,
    source,
    windowBytes: STREAM_WINDOW_BYTES,
    lineBytesMax: SCAN_LINE_BYTES_MAX,
    outstanding: () => 0,
  });
  let position = 0;
  for (let wantsMore = true; wantsMore; ) {
    signal?.throwIfAborted();
    const window = await reader.next();
    if (window === undefined) break;
    try {
      const { isCut, last } = window;
      const bytes = isCut ? Math.min(window.textBytes, SCAN_LINE_BYTES_MAX) : window.textBytes;
      wantsMore = scanner.visit({ address: window.text.address, bytes, position, last, isCut });
      position = reader.textPosition;
    } finally {
      window.release();
    }
    onProgress?.(position);
    yield { result: scanner.take(), bytes: position };
  }
}

/** A part of the file that was given to somebody. */
interface Part<R> {
  range: LineRange;
  /** Set when it is done. */
  result: { value: R } | undefined;
  /** Of a worker: resolves when the task is settled. */
  done: Promise<void> | undefined;
  failure: { error: unknown } | undefined;
}

class FileScan<S, R> {
  readonly #runtime: Runtime;
  readonly #plain: PlainText;
  readonly #scan: TextScan<S, R>;
  readonly #options: ScanOptions;
  readonly #slab: Slab;
  /** Parts that were begun and not handed out, in order. */
  readonly #parts: Part<R>[] = [];
  readonly #scanner: Scanner<R>;
  /** Where the next part begins. */
  #next: number;
  #wantsMore = true;
  #running = 0;

  constructor(runtime: Runtime, plain: PlainText, scan: TextScan<S, R>, options: ScanOptions, slab: Slab) {
    this.#runtime = runtime;
    this.#plain = plain;
    this.#scan = scan;
    this.#options = options;
    this.#slab = slab;
    this.#next = plain.start;
    this.#scanner = scan.kind.create(runtime.memory, slab.address, scan.spec);
  }

  async *run(): AsyncGenerator<Scanned<R>, void, undefined> {
    const { start, end } = this.#plain;
    const { signal, onProgress } = this.#options;
    const { clock } = this.#runtime;
    const startMs = clock.monotonic();
    let hasWorkers = this.#mayHaveWorkers() && end - start > this.#scan.bytesPerMs * START_MS;
    // While a thread starts, this one scans; what comes of it is told to the first task.
    if (hasWorkers) void this.#runtime.pool.warm(this.#scan.task).catch(() => undefined);
    try {
      while ((this.#next < end && this.#wantsMore) || this.#parts.length > 0) {
        signal?.throwIfAborted();
        hasWorkers ||= this.#mayHaveWorkers() && this.#paysToStart(clock.monotonic() - startMs);
        if (hasWorkers) this.#feedWorkers();
        const first = this.#parts[0];
        if (first?.failure !== undefined) throw first.failure.error;
        if (first?.result !== undefined) {
          this.#parts.shift();
          onProgress?.(first.range.to - start);
          yield { result: first.result.value, bytes: first.range.to - start };
        } else if (this.#mayBegin()) {
          this.#scanHere();
          // What workers say is heard between two parts.
          await this.#nextTurn();
        } else await first?.done;
      }
    } finally {
      // They read the file, and write to memory that is theirs only until then.
      for (const { done } of this.#parts) await done;
    }
  }

  #mayHaveWorkers(): boolean {
    const { handle } = this.#plain.file;
    return handle !== undefined && this.#runtime.pool.threads > 0 && this.#scan.inOrder !== true;
  }

  /** Whether what is left takes longer than to start a thread, at the speed so far. */
  #paysToStart(elapsedMs: number): boolean {
    const { start, end } = this.#plain;
    const done = this.#next - start;
    return done > 0 && (elapsedMs / done) * (end - this.#next) > START_MS;
  }

  /** Whether there is another part, and room for its result. */
  #mayBegin(): boolean {
    if (this.#next >= this.#plain.end || !this.#wantsMore) return false;
    let bytes = 0;
    for (const { result } of this.#parts) if (result !== undefined) bytes += this.#scan.bytesOf(result.value);
    return this.#parts.length < WAITING_RESULTS_MAX && bytes < WAITING_BYTES_MAX;
  }

  #begin(bytes: number): Part<R> {
    const { start, end } = this.#plain;
    const from = this.#next;
    this.#next = Math.min(end, from + bytes);
    const range = { start, end, from, to: this.#next };
    const part: Part<R> = { range, result: undefined, done: undefined, failure: undefined };
    this.#parts.push(part);
    return part;
  }

  #scanHere(): void {
    const { memory } = this.#runtime;
    const { kind } = this.#scan;
    const { file } = this.#plain;
    const part = this.#begin(OWN_RANGE_BYTES);
    try {
      this.#wantsMore = scanRange(memory, this.#slab.address, file, part.range, kind, this.#scanner);
      part.result = { value: this.#scanner.take() };
    } catch (error) {
      part.failure = { error };
    }
  }

  /** Gives each worker one part to scan and one to go on with. */
  #feedWorkers(): void {
    const { pool } = this.#runtime;
    while (this.#running < pool.threads + 1 && this.#mayBegin()) {
      const share = (this.#plain.end - this.#next) / (3 * (pool.threads + 1));
      // The very end is left to this thread.
      if (share < WORKER_RANGE_BYTES_MIN) return;
      const most = this.#scan.hasSmallResults === true ? SMALL_RESULT_RANGE_BYTES : WORKER_RANGE_BYTES;
      const part = this.#begin(Math.min(most, Math.floor(share)));
      this.#running++;
      part.done = this.#scanThere(part).finally(() => {
        this.#running--;
      });
    }
  }

  async #scanThere(part: Part<R>): Promise<void> {
    const { pool } = this.#runtime;
    const { task, spec } = this.#scan;
    const { path, handle } = this.#plain.file;
    const args = { path, handle, range: part.range, spec } as TaskArgs<typeof task>;
    try {
      part.result = { value: (await pool.run(task, args)) as R };
    } catch (error) {
      part.failure = { error };
    }
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#runtime.clock.nextTurn(resolve);
    });
  }
}
