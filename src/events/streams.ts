/**
 * Stores of log entries as streams of Node.
 *
 * @module
 */

import { Readable, Writable } from 'node:stream';
import type { WriteOptions } from '../lsm/tree.ts';
import { booleanOption, checkOptions } from '../options.ts';
import type { EventEntry } from './entry.ts';
import type { Events } from './events.ts';
import type { EventInput } from './input.ts';

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
export function writableOf(events: Events, options: EventWritableOptions = {}): Writable {
  checkOptions('options', options, ['lines', 'durability']);
  const { lines, ...level } = options;
  return booleanOption('lines', lines, false) ? ofLines(events, level) : ofEntries(events, level);
}

function ofEntries(events: Events, level: WriteOptions): Writable {
  return new Writable({
    objectMode: true,
    highWaterMark: HIGH_WATER_ENTRIES,
    write(entry: EventInput, _, done) {
      events.write(entry, level).then(() => done(), done);
    },
    writev(chunks, done) {
      const entries = chunks.map(({ chunk }) => chunk as EventInput);
      events.writeMany(entries, level).then(() => done(), done);
    },
  });
}

function ofLines(events: Events, level: WriteOptions): Writable {
  let rest = '';
  const decoder = new TextDecoder();
  const write = (text: string, done: (error?: Error | null) => void): void => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    const entries = lines.map((line) => ({ message: line.endsWith('\r') ? line.slice(0, -1) : line }));
    events.writeMany(entries, level).then(() => done(), done);
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
