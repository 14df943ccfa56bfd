/**
 * The two processes of the bench `recover`:
 *
 *     recover-child.ts write DIR BYTES   appends, says `written` once, and goes on until it is killed
 *     recover-child.ts open DIR          opens, and prints how long that took and how much there is
 *
 * @module
 */

import { loadEngine } from './engine.ts';
import { enqueueAll } from './suites/enqueue-all.ts';

/** Room for a GiB and what is appended between `written` and the kill. */
const SEGMENT_BYTES = 0x7fffffff;

const [action, directory, bytes] = process.argv.slice(2);
if (directory === undefined) throw new TypeError('usage: recover-child.ts write|open DIR [BYTES]');
const { open } = await loadEngine();
const options = { sync: { mode: 'never' }, segmentBytes: SEGMENT_BYTES } as const;

if (action === 'write') {
  const wanted = Number(bytes);
  const db = await open(directory);
  const log = await db.log('killed', options);
  const chunk = Math.max(100, Math.min(10_000, Math.floor(wanted / 1000)));
  let told = false;
  for (;;) {
    await enqueueAll(log, chunk);
    const written = log.info().bytes;
    if (written >= wanted && !told) {
      told = true;
      process.stdout.write('written\n');
    }
    // A killer that is late must not find a second segment, nor a full disk.
    if (told && written > wanted * 1.2) await new Promise((resolve) => setTimeout(resolve, 60_000));
  }
} else {
  const began = performance.now();
  const db = await open(directory);
  const log = await db.log('killed', options);
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(`${JSON.stringify({ seconds, records: log.nextOffset - log.firstOffset })}\n`);
  await db.close();
}
