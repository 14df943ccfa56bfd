/**
 * Stores of log entries as streams of Node.
 *
 * @module
 */

import { Readable, Writable } from 'node:stream';
import { callbackify } from 'node:util';
import type { WriteOptions } from '../lsm/tree.ts';
import { booleanOption, checkOptions } from '../options.ts';
import type { EventEntry } from './entry.ts';
import type { EventInput } from './input.ts';

/** What a stream needs of a store. */
interface Sink {
  write(entry: EventInput, options?: WriteOptions): Promise<void>;
  writeMany(entries: Iterable<EventInput>, options?: WriteOptions): Promise<number>;
}

export interface EventWritableOptions extends WriteOptions {
  /** Takes text: each line is the message of an entry of its own. Entries unless given. */
  lines?: boolean;
}

const HIGH_WATER_ENTRIES = 1024;

/**
 * A stream into a store. What was written to it before it called back has reached the level.
 *
 * @throws TypeError where an option is wrong
 */
export function writableOf(events: Sink, options: EventWritableOptions = {}): Writable {
  checkOptions('options', options, ['lines', 'durability']);
  const { lines, ...level } = options;
  return booleanOption('lines', lines, false) ? ofLines(events, level) : ofEntries(events, level);
}

function ofEntries(events: Sink, level: WriteOptions): Writable {
  const write = callbackify((entry: EventInput) => events.write(entry, level));
  const writeMany = callbackify((entries: readonly EventInput[]) => events.writeMany(entries, level));
  return new Writable({
    objectMode: true,
    highWaterMark: HIGH_WATER_ENTRIES,
    write(entry: EventInput, _, done) {
      write(entry, (error) => done(error));
    },
    writev(chunks, done) {
      const entries = chunks.map(({ chunk }) => chunk as EventInput);
      writeMany(entries, (error) => done(error));
    },
  });
}

function ofLines(events: Sink, level: WriteOptions): Writable {
  const writeMany = callbackify((entries: readonly EventInput[]) => events.writeMany(entries, level));
  let rest = '';
  const decoder = new TextDecoder();
  const write = (text: string, done: (error?: Error | null) => void): void => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    const entries = lines.map((line) => ({ message: line.endsWith('\r') ? line.slice(0, -1) : line }));
    writeMany(entries, (error) => done(error));
  };
  return new Writable({
    write(chunk: Buffer, _, done) {
      write(decoder.decode(chunk, { stream: true }), done);
    },
    final(done) {
      rest += decoder.decode();
      if (rest === '') done();
      else write('\n', done);
    },
  });
}

/** A stream of what an iterator gives. */
export function readableOf(entries: AsyncIterable<EventEntry>): Readable {
  return Readable.from(entries, { objectMode: true, highWaterMark: HIGH_WATER_ENTRIES });
}
