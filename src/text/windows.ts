/**
 * Cuts a text into windows that end where a line ends. What is behind the last line end of a window is
 * carried over to the next.
 *
 *     text    |  line  line  line  li|ne  line  line|
 *     windows |  line  line  line |
 *                                 | line  line  line|
 *
 * A line that is longer than a window makes it grow, up to the longest line that is wanted whole. Of a
 * line that is still longer the beginning becomes a window, and the rest is passed over, so that the
 * memory it takes is bounded whatever its length.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { SLACK_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import type { TextSource } from './source.ts';

const LINE_FEED = 10;

/** Some whole lines, and room for what they become. */
export class Window {
  text: Slab;
  out: Slab | undefined;
  textBytes = 0;
  /** Whether what is behind the last line end is a line too; if not, there is nothing. */
  last = false;
  /** Whether the last line is only the beginning of one that is too long; the rest of it was passed over. */
  isCut = false;
  /** How much of the source was read when this window was cut. */
  endPosition = 0;

  constructor(text: Slab, out: Slab | undefined) {
    this.text = text;
    this.out = out;
  }

  release(): void {
    this.text.release();
    this.out?.release();
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
  /**
   * How much of a text, which ends with a line, does not go on in the lines behind it; all of it unless given.
   * It is asked where the text is there to go on: at most so much of a window is kept for the next.
   */
  wholeBytes?: (text: { address: number; bytes: number }) => number;
  /** How much room for what becomes of it a text of so many bytes needs; none unless given. */
  outBytes?: (textBytes: number) => number;
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

  /** Where in the text the next window begins. */
  get textPosition(): number {
    return this.#position - this.#carried.length;
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
    const text = await this.#allocate(Math.max(windowBytes, this.#carried.length * 2), 'text');
    try {
      return new Window(text, await this.#allocateOut(text));
    } catch (error) {
      text.release();
      throw error;
    }
  }

  async #allocateOut(text: Slab): Promise<Slab | undefined> {
    const bytes = this.#options.outBytes?.(text.bytes);
    return bytes === undefined ? undefined : await this.#allocate(bytes, 'what becomes of text');
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
      if (end > 0) {
        const { address } = window.text;
        // Where more is long in coming, what is there is not kept back.
        const whole = filled === capacity ? this.#options.wholeBytes?.({ address, bytes: end }) : undefined;
        return this.#end(window, whole ?? end, filled, false);
      }
      // Two bytes more than a line may have: one of them could be the return of a line end.
      if (filled >= lineBytesMax + 2) {
        this.#isSkipping = true;
        window.isCut = true;
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

  /** Gives a window twice the room. */
  async #grow(window: Window, filled: number): Promise<void> {
    const text = await this.#allocate(window.text.bytes * 2, 'text');
    this.#options.memory.u8.copyWithin(text.address, window.text.address, window.text.address + filled);
    window.text.release();
    window.text = text;
    const wanted = this.#options.outBytes?.(text.bytes) ?? 0;
    if (window.out === undefined || window.out.bytes >= wanted) return;
    const out = await this.#allocate(wanted, 'what becomes of text');
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
