/** Logs with pino to a store, and ends as it is told: run by tests, in a process of its own. */

import { writeSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import type { destination as Destination } from '../../src/pino/pino.ts';

const [directory = '', how = '', count = '0'] = process.argv.slice(2);
// The package by its own name, as a program that uses it would.
const self = 'varve/pino';
const lines = Number(count);

/** Writes to a pipe that may be full. */
function writeWhole(text: string): void {
  for (;;) {
    try {
      writeSync(1, text);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

if (how.startsWith('transport')) {
  const stream = pino.transport({ target: self, options: { directory, name: 'app' } });
  const logger = pino(stream);
  for (let i = 0; i < lines; i++) logger.info({ i }, `line ${i}`);
  if (how === 'transport-exit') process.exit(0);
  if (how === 'transport-throw') throw new Error('not caught');
  if (how === 'transport-killed') {
    await new Promise<void>((resolve) => {
      stream.flush(() => resolve());
    });
    const { worker } = stream as unknown as { worker: Worker };
    stream.on('error', () => undefined);
    await worker.terminate();
    process.exit(0);
  }
} else {
  const { destination } = (await import(self)) as { destination: typeof Destination };
  const logger = pino(await destination({ directory, name: 'app' }));
  if (how === 'exit') {
    for (let i = 0; i < lines; i++) logger.info({ i }, `line ${i}`);
    process.exit(0);
  } else if (how === 'throw') {
    for (let i = 0; i < lines; i++) logger.info({ i }, `line ${i}`);
    throw new Error('not caught');
  } else {
    // What it says was logged: each number when the call has returned.
    const say = (i: number): void => {
      logger.info({ i }, `line ${i}`);
      writeWhole(`${i}\n`);
    };
    for (let i = 0; ; i++) {
      say(i);
      if (i % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
