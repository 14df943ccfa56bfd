/**
 * Cuts a text into windows that end where a line ends. What is behind the last line end of a window is
 * carried over to the next.
 *
 *     text    |  line  line  line  li|ne  line  line|
 *     windows |  line  line  line |
 *                                 | line  line  line|
 *
 * A line that is longer than a window makes it grow, up to the longest line that a record may hold. Of a
 * line that is still longer the beginning becomes a window, and the rest is passed over, so that the
 * memory it takes is bounded whatever its length.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { SLACK_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { WINDOW_OUT_EXTRA_BYTES } from '../parse/window.ts';
import type { TextSource } from './source.ts';

const LINE_FEED = 10;
/** Room for batches, by bytes of text: headers and framing make records of lines half as large again. */
const OUT_PER_TEXT = 2;

/** Some whole lines, and room for the batches that they become. */
export class Window {
  text: Slab;
  out: Slab;
  textBytes = 0;
  /** Whether what is behind the last line end is a line too; if not, there is nothing. */
  last = false;
  /** How much of the source was read when this window was cut. */
  endPosition = 0;

  constructor(text: Slab, out: Slab) {
    this.text = text;
    this.out = out;
  }

  release(): void {
    this.text.release();
    this.out.release();
  }
}

export interface WindowOptions {
  memory: Memory;
  source: TextSource;
  windowBytes: number;
  /** The longest line that is read as a whole. */
  lineBytesMax: number;
  /** Windows that were handed out and not given back. */
  outstanding: () => number;
}

export class WindowReader {
  readonly #options: WindowOptions;
  /** The beginning of the next window's first line. */
  #carried: Buffer = Buffer.alloc(0);
  #position = 0;
  /** The rest of a line that was too long is still to come. */
  #isSkipping = false;

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  /** Whether there is no window behind the last one. */
  get isOver(): boolean {
    return this.#options.source.isOver && this.#carried.length === 0;
  }

  /** Bytes read from the source so far. */
  get position(): number {
    return this.#position;
  }

  /**
   * Reads the next window. It is the caller's to release.
   *
   * @returns undefined at the end of the text
   * @throws VarveError `NO_MEMORY` where there is no memory and nothing outstanding that will be given back
   */
  async next(): Promise<Window | undefined> {
    if (this.isOver) return undefined;
    const window = await this.#create();
    try {
      await this.#fill(window);
    } catch (error) {
      window.release();
      throw error;
    }
    window.endPosition = this.#position;
    if (window.textBytes > 0) return window;
    window.release();
    return undefined;
  }

  async #create(): Promise<Window> {
    const { windowBytes } = this.#options;
    // What is carried over can be most of a window that grew.
    const text = await this.#allocate(Math.max(windowBytes, this.#carried.length * 2), 'ingest text');
    try {
      const outBytes = Math.max(windowBytes * OUT_PER_TEXT, this.#outBytesMin(text));
      return new Window(text, await this.#allocate(outBytes, 'ingest batches'));
    } catch (error) {
      text.release();
      throw error;
    }
  }

  /** What the batch of the longest line takes. */
  #outBytesMin(text: Slab): number {
    return Math.min(text.bytes, this.#options.lineBytesMax) + WINDOW_OUT_EXTRA_BYTES;
  }

  async #fill(window: Window): Promise<void> {
    const { memory, source, lineBytesMax } = this.#options;
    memory.u8.set(this.#carried, window.text.address);
    let filled = this.#carried.length;
    if (this.#isSkipping) filled = await this.#skip(window.text);
    for (;;) {
      const capacity = window.text.bytes - SLACK_BYTES;
      filled += await this.#read(window.text, filled, capacity);
      const text = memory.buffer(window.text.address, filled);
      if (source.isOver) return this.#end(window, filled, filled, true);
      const end = text.lastIndexOf(LINE_FEED) + 1;
      if (end > 0) return this.#end(window, end, filled, false);
      // Two bytes more than a line may have: one of them could be the return of a line end.
      if (filled >= lineBytesMax + 2) {
        this.#isSkipping = true;
        return this.#end(window, filled, filled, true);
      }
      if (filled === capacity) await this.#grow(window, filled);
    }
  }

  /** The window ends at `end`; what was read behind it is the beginning of the next. */
  #end(window: Window, end: number, filled: number, last: boolean): void {
    window.textBytes = end;
    window.last = last;
    this.#carried = this.#options.memory.copy(window.text.address + end, filled - end);
  }

  async #read(slab: Slab, from: number, to: number): Promise<number> {
    const target = this.#options.memory.buffer(slab.address + from, to - from);
    const bytes = await this.#options.source.read(target);
    this.#position += bytes;
    return bytes;
  }

  /** Passes over the rest of a line. Returns how many bytes of the next lines are in the slab then. */
  async #skip(slab: Slab): Promise<number> {
    const { memory, source } = this.#options;
    const capacity = slab.bytes - SLACK_BYTES;
    while (!source.isOver) {
      const bytes = await this.#read(slab, 0, capacity);
      const end = memory.buffer(slab.address, bytes).indexOf(LINE_FEED) + 1;
      if (end === 0) continue;
      this.#isSkipping = false;
      memory.u8.copyWithin(slab.address, slab.address + end, slab.address + bytes);
      return bytes - end;
    }
    return 0;
  }

  /** Gives a window twice the room, and what the batch of one long line needs. */
  async #grow(window: Window, filled: number): Promise<void> {
    const text = await this.#allocate(window.text.bytes * 2, 'ingest text');
    this.#options.memory.u8.copyWithin(text.address, window.text.address, window.text.address + filled);
    window.text.release();
    window.text = text;
    if (window.out.bytes >= this.#outBytesMin(text)) return;
    const out = await this.#allocate(this.#outBytesMin(text), 'ingest batches');
    window.out.release();
    window.out = out;
  }

  /** Waits for memory as long as there are windows out that will give some back. */
  async #allocate(bytes: number, owner: string): Promise<Slab> {
    const { memory, outstanding } = this.#options;
    for (;;) {
      const slab = memory.slabs.tryAllocate(bytes, owner);
      if (slab !== undefined) return slab;
      if (outstanding() === 0) {
        const { budgetBytes, inUseBytes } = memory.slabs;
        const use = `${inUseBytes} of ${budgetBytes} are in use`;
        throw new VarveError('NO_MEMORY', `no ${bytes} bytes of memory left to read lines into: ${use}`);
      }
      await memory.slabs.released();
    }
  }
}
