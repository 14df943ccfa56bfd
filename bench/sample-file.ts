/** The log file that benches read: the generator's. */

import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type * as Sample from '../src/parse/sample.ts';
import { loadBuilt } from './engine.ts';

/** Writes a sample of at most so many bytes, to the disk; returns how many it has. */
export async function writeSample(file: string, bytes: number): Promise<number> {
  const { generateHdfsSample } = await loadBuilt<typeof Sample>('parse/sample.js');
  const fd = openSync(file, 'wx');
  let position = 0;
  for (const chunk of generateHdfsSample({ bytes })) {
    for (let done = 0; done < chunk.length; ) {
      done += writeSync(fd, chunk, done, chunk.length - done, position + done);
    }
    position += chunk.length;
  }
  // Or else its write-back would run beside what is measured first.
  fsyncSync(fd);
  closeSync(fd);
  return position;
}
