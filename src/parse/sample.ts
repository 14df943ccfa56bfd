/**
 * Makes log files in the form that the Hadoop file system gives its own, for demonstrations and benches:
 * all messages, hosts and blocks are invented. Everything follows from the seed, byte for byte.
 *
 * What is like the real thing: blocks have a life (they are reserved, written, confirmed, read, checked,
 * dropped), so that an identifier turns up in a handful of lines close together; a few hosts; a dozen
 * messages, unevenly common; a rate that rises and falls with the time of day, in bursts; nearly all
 * lines INFO, some WARN, hardly any ERROR.
 *
 * @module
 */

import { checkInteger, checkOptions, integerOption } from '../options.ts';
import { ERROR, type Field, INFO, type Message, WARN, type Words, wordsOf } from './sample-messages.ts';

export interface SampleOptions {
  /** Any 32-bit integer; another seed makes another file. Default 1. */
  seed?: number;
  /** How many lines to make at most. */
  lines?: number;
  /** How many bytes to make at most: the lines that fit into them, whole. */
  bytes?: number;
  /** Time of the first line, in milliseconds since the epoch, from 1970 to 2069. Default 2 March 2009. */
  startMs?: number;
  /** Lines a second, over the day. Default 25. */
  linesPerSecond?: number;
}

/** What is yielded has at least this many bytes, but for the last. */
const CHUNK_BYTES: number = 1 << 20;
/** No line is longer. */
const LINE_BYTES_MAX = 512;
const START_MS_DEFAULT: number = Date.UTC(2009, 2, 2, 5, 30, 0);
const YEAR_2070_MS: number = Date.UTC(2070, 0, 1);
const SEED_MAX = 2 ** 31 - 1;

const HOSTS = 180;
/** Blocks that are still spoken of. */
const BLOCKS = 1024;
/** `blk_`, a sign and 18 digits fit. */
const BLOCK_WORDS = 6;

/** One second in 16 is a burst; the others have up to `ORDINARY` parts of what it has. */
const BURST = 11;
const ORDINARY = 8;
const MEAN_BURST: number = (BURST + (15 * ORDINARY) / 2) / 16;

/** Out of 1,000 lines. */
const WARN_SHARE = 29;
const ERROR_SHARE = 1;

const SPACE = 0x20;
const MINUS = 0x2d;
const ZERO = 0x30;
/** `yyMMdd HHmmss ` */
const TIME_BYTES = 14;

/**
 * Makes a log file in the form of the Hadoop file system's.
 *
 * @param options at least `lines` or `bytes`
 * @yields pieces of at least 1 MiB (the last may be smaller), each the caller's own
 * @throws TypeError or RangeError where an option is wrong
 */
export function generateHdfsSample(options: SampleOptions): Generator<Buffer, void, undefined> {
  checkOptions('options', options, ['seed', 'lines', 'bytes', 'startMs', 'linesPerSecond']);
  const { lines, bytes } = options;
  if (lines === undefined && bytes === undefined) throw new TypeError('either lines or bytes must be given');
  const linesMax = integerOption('lines', lines, Number.MAX_SAFE_INTEGER, 0);
  const bytesMax = integerOption('bytes', bytes, Number.MAX_SAFE_INTEGER, 0);
  const seed = checkInteger('seed', options.seed ?? 1, -SEED_MAX, SEED_MAX);
  const startMs = integerOption('startMs', options.startMs, START_MS_DEFAULT, 0, YEAR_2070_MS - 1);
  const linesPerSecond = integerOption('linesPerSecond', options.linesPerSecond, 25, 1, 1_000_000);
  return chunks(new SampleWriter(seed, Math.floor(startMs / 1000), linesPerSecond), linesMax, bytesMax);
}

function* chunks(
  writer: SampleWriter,
  linesMax: number,
  bytesMax: number,
): Generator<Buffer, void, undefined> {
  let linesLeft = linesMax;
  let bytesLeft = bytesMax;
  for (let isDone = false; !isDone; ) {
    const chunk = new Uint8Array(CHUNK_BYTES + LINE_BYTES_MAX);
    writer.begin(chunk);
    let end = 0;
    while (end < CHUNK_BYTES) {
      isDone = linesLeft === 0 || writer.writeLine() > bytesLeft;
      if (isDone) break;
      end = writer.at;
      linesLeft--;
    }
    bytesLeft -= end;
    if (end > 0) yield Buffer.from(chunk.buffer, 0, end);
  }
}

/** Writes line after line. All state is in typed arrays and small integers: a line allocates nothing. */
class SampleWriter {
  /** Position behind the last line. */
  at = 0;
  #target: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  readonly #random: Int32Array;
  readonly #hosts: readonly Words[];
  /** Identifiers of the latest blocks, and how many bytes each has. */
  readonly #blocks: Int32Array = new Int32Array(BLOCKS * BLOCK_WORDS);
  readonly #blockBytes: Uint8Array = new Uint8Array(BLOCKS);
  readonly #time: Uint8Array = new Uint8Array(16).fill(SPACE);
  readonly #timeWords: Int32Array = new Int32Array(this.#time.buffer);
  readonly #linesPerSecond: number;
  #newestBlock = 0;
  #second: number;
  #day = -1;
  #linesLeft = 0;

  constructor(seed: number, firstSecond: number, linesPerSecond: number) {
    this.#random = Int32Array.of(seed, 0x2545f491, 0x9e3779b9, 1);
    for (let i = 0; i < 16; i++) this.#next();
    this.#linesPerSecond = linesPerSecond;
    this.#second = firstSecond - 1;
    this.#hosts = Array.from({ length: HOSTS }, () =>
      wordsOf(`10.${this.#below(8) + 20}.${this.#below(250) + 1}.${this.#below(250) + 1}`),
    );
    for (let i = 0; i < BLOCKS; i++) this.#addBlock();
  }

  /** Goes on at the start of `target`, which has room for one more line than will be asked for. */
  begin(target: Uint8Array): void {
    this.#target = target;
    this.#view = new DataView(target.buffer);
    this.at = 0;
  }

  /** Writes a line with its line feed; returns the position behind it. */
  writeLine(): number {
    while (this.#linesLeft === 0) this.#nextSecond();
    this.#linesLeft--;
    this.#write(this.#timeWords, 0, TIME_BYTES);
    this.#writeNumber(this.#below(4) === 0 ? this.#below(6000) : this.#below(200) + 10);
    this.#target[this.at++] = SPACE;
    const { parts } = this.#pick();
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i] as Words | Field;
      if (typeof part === 'string') this.#writeField(part);
      else this.#write(part.words, 0, part.bytes);
    }
    return this.at;
  }

  #pick(): Message {
    const share = this.#below(1000);
    const level = share < ERROR_SHARE ? ERROR : share < ERROR_SHARE + WARN_SHARE ? WARN : INFO;
    let rest = this.#below(level.weight);
    let i = 0;
    while (rest >= (level.all[i] as Message).weight) rest -= (level.all[i++] as Message).weight;
    return level.all[i] as Message;
  }

  #writeField(field: Field): void {
    switch (field) {
      case 'newBlock':
        this.#addBlock();
        return this.#writeBlock(this.#newestBlock);
      case 'block': {
        // The younger a block is, the more is said about it.
        const age = (this.#below(BLOCKS) * this.#below(BLOCKS)) >> 10;
        return this.#writeBlock((this.#newestBlock - age + BLOCKS) & (BLOCKS - 1));
      }
      case 'host': {
        const host = this.#hosts[this.#below(HOSTS)] as Words;
        return this.#write(host.words, 0, host.bytes);
      }
      case 'port':
        return this.#writeNumber(32_768 + this.#below(28_000));
      case 'stage':
        return this.#writeNumber(this.#below(3) + 1);
      case 'ms':
        return this.#writeNumber(this.#below(this.#below(2000) + 1) + 1);
      case 'size':
        return this.#writeNumber(this.#below(65_536) * 1023 + this.#below(1023));
      case 'job':
        return this.#writeDigits(Math.floor(this.#second / 600) % 10_000, 4);
      case 'part':
        return this.#writeDigits(this.#below(2000), 5);
      case 'volume':
        return this.#writeNumber(this.#below(64));
    }
  }

  #writeBlock(block: number): void {
    this.#write(this.#blocks, block * BLOCK_WORDS, this.#blockBytes[block] as number);
  }

  #addBlock(): void {
    const block = (this.#newestBlock + 1) & (BLOCKS - 1);
    this.#newestBlock = block;
    const bytes = new Uint8Array(this.#blocks.buffer, block * BLOCK_WORDS * 4, BLOCK_WORDS * 4);
    let end = 0;
    for (const character of 'blk_') bytes[end++] = character.charCodeAt(0);
    if (this.#below(2) === 0) bytes[end++] = MINUS;
    digits(bytes, end, this.#below(30_000) + 1000, 5);
    digits(bytes, end + 5, this.#below(10_000), 4);
    digits(bytes, end + 9, this.#below(10_000), 4);
    digits(bytes, end + 13, this.#below(50_000), 5);
    this.#blockBytes[block] = end + 18;
  }

  /** Goes on by a second, and decides how many lines it has. */
  #nextSecond(): void {
    this.#second++;
    const second = this.#second % 86_400;
    const day = (this.#second - second) / 86_400;
    if (day !== this.#day) {
      this.#day = day;
      const date = new Date(day * 86_400_000);
      digits(this.#time, 0, date.getUTCFullYear() % 100, 2);
      digits(this.#time, 2, date.getUTCMonth() + 1, 2);
      digits(this.#time, 4, date.getUTCDate(), 2);
    }
    digits(this.#time, 7, Math.floor(second / 3600), 2);
    digits(this.#time, 9, Math.floor(second / 60) % 60, 2);
    digits(this.#time, 11, second % 60, 2);
    // From half the mean at midnight to one and a half times the mean at noon, and in bursts.
    const daily = 0.5 + Math.min(second, 86_400 - second) / 43_200;
    const burst = this.#below(16) === 0 ? BURST : this.#below(ORDINARY) + 0.5;
    const mean = (this.#linesPerSecond * daily * burst) / MEAN_BURST;
    this.#linesLeft = Math.floor(mean + this.#below(1024) / 1024);
  }

  /** Writes text four bytes at a time; up to three bytes more than it has. */
  #write(words: Int32Array, from: number, bytes: number): void {
    const view = this.#view;
    const end = this.at + bytes;
    let word = from;
    for (let at = this.at; at < end; at += 4) view.setInt32(at, words[word++] as number, true);
    this.at = end;
  }

  #writeNumber(value: number): void {
    let count = 1;
    for (let power = 10; power <= value; power *= 10) count++;
    this.#writeDigits(value, count);
  }

  #writeDigits(value: number, count: number): void {
    digits(this.#target, this.at, value, count);
    this.at += count;
  }

  /** sfc32 (Chris Doty-Humphrey's Small Fast Counting generator); its high 16 bits. */
  #next(): number {
    const state = this.#random;
    const second = state[1] as number;
    const third = state[2] as number;
    const counter = state[3] as number;
    const sum = ((state[0] as number) + second + counter) | 0;
    state[0] = second ^ (second >>> 9);
    state[1] = (third + (third << 3)) | 0;
    state[2] = (((third << 21) | (third >>> 11)) + sum) | 0;
    state[3] = (counter + 1) | 0;
    return sum >>> 16;
  }

  /** An integer from 0 to `limit` - 1, for limits up to 65,536. */
  #below(limit: number): number {
    return (this.#next() * limit) >>> 16;
  }
}

/** Writes an integer below 2^31 with so many digits. */
function digits(target: Uint8Array, at: number, value: number, count: number): void {
  let rest = value;
  for (let i = at + count - 1; i >= at; i--) {
    const next = (rest / 10) | 0;
    target[i] = ZERO + (rest - next * 10);
    rest = next;
  }
}
