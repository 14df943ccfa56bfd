/**
 * Lets only those lines of the end of a file through that are wanted. What is appended comes in pieces, so
 * a line whose end is still to come waits for it.
 *
 * @module
 */

import { SLACK_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { CHOICE_BYTES, Choice, type ChoiceSpec } from '../scan/choice.ts';

/** As much text is looked at together; a longer line is judged by its beginning. */
const TEXT_BYTES: number = 64 * 1024;
const LINE_FEED = 10;
const NO_BYTES: Buffer = Buffer.alloc(0);

/** The filter of one file. */
export class TailFilter {
  readonly #memory: Memory;
  readonly #slab: Slab;
  readonly #choice: Choice;
  /** The beginning of a line. */
  #rest: Buffer = NO_BYTES;
  /** The line that is being passed on is longer than what is looked at together: what became of its beginning. */
  #long: 'none' | 'wanted' | 'dropped' = 'none';

  /** @throws VarveError `NO_MEMORY` */
  constructor(memory: Memory, spec: ChoiceSpec) {
    this.#memory = memory;
    this.#slab = memory.slabs.allocate(TEXT_BYTES + SLACK_BYTES + CHOICE_BYTES, 'tail filter');
    this.#choice = new Choice(memory, this.#slab.address, spec);
  }

  /** Whether lines are of no known format, so that none is chosen for what it says. */
  get isPlain(): boolean {
    return this.#choice.isPlain;
  }

  /** Takes the next bytes of the file; returns those of them, and of what waited, that are wanted. */
  take(bytes: Buffer): Buffer {
    const wanted: Buffer[] = [];
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (rest.length > 0) {
      if (this.#long !== 'none') {
        rest = this.#passLong(rest, wanted);
        continue;
      }
      const most = Math.min(rest.length, TEXT_BYTES);
      const end = rest.lastIndexOf(LINE_FEED, most - 1) + 1;
      if (end === 0 && most < TEXT_BYTES) break;
      const text = rest.subarray(0, end === 0 ? most : end);
      const isWanted = this.#chooseFrom(text, wanted);
      if (end === 0) this.#long = isWanted ? 'wanted' : 'dropped';
      rest = rest.subarray(text.length);
    }
    this.#rest = Buffer.from(rest);
    return Buffer.concat(wanted);
  }

  /** The file ends here: what waits is a line, too. */
  end(): Buffer {
    const wanted: Buffer[] = [];
    if (this.#rest.length > 0) this.#chooseFrom(this.#rest, wanted);
    this.#rest = NO_BYTES;
    this.#long = 'none';
    return Buffer.concat(wanted);
  }

  release(): void {
    this.#slab.release();
  }

  /** Passes the rest of a long line on, or not. */
  #passLong(bytes: Buffer, wanted: Buffer[]): Buffer {
    const feed = bytes.indexOf(LINE_FEED);
    const end = feed < 0 ? bytes.length : feed + 1;
    if (this.#long === 'wanted') wanted.push(bytes.subarray(0, end));
    if (feed >= 0) this.#long = 'none';
    return bytes.subarray(end);
  }

  /** Adds the lines that are wanted; returns whether the last of them is. */
  #chooseFrom(text: Buffer, wanted: Buffer[]): boolean {
    const address = this.#slab.address + CHOICE_BYTES;
    this.#memory.u8.set(text, address);
    let isLast = false;
    this.#choice.runs(address, text.length, (from, to) => {
      wanted.push(text.subarray(from - address, to - address));
      isLast = to === address + text.length;
      return true;
    });
    return isLast;
  }
}
