/** Stores of log entries as streams of Node. */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import type { EventEntry } from '../../src/events/entry.ts';
import { openEvents } from '../kit/events.ts';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();

test('entries go in through a stream, and come out through another', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  const entries = Array.from({ length: 3000 }, (_, i) => ({ timestamp: 3000 - i, message: String(i) }));
  await pipeline(Readable.from(entries), events.writable());
  const read: number[] = [];
  for await (const entry of events.readable({ from: 11, to: 2001 }) as AsyncIterable<EventEntry>)
    read.push(entry.timestamp);
  expect(read).toEqual(Array.from({ length: 1990 }, (_, i) => 11 + i));
  const failed = pipeline(Readable.from([{ message: 'fine' }, { message: 5 }]), events.writable());
  await expect(failed).rejects.toThrow(TypeError);
});

test('lines of text become entries, wherever the pieces end', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  const bytes = Buffer.from('one\r\ntwo é\n\nlast');
  const pieces = Array.from({ length: bytes.length }, (_, i) => bytes.subarray(i, i + 1));
  await pipeline(Readable.from(pieces, { objectMode: false }), events.writable({ lines: true }));
  expect([...events.readSync()].map(({ message }) => message)).toEqual(['one', 'two é', '', 'last']);
  expect(() => events.writable({ line: true } as object)).toThrow(TypeError);
});
