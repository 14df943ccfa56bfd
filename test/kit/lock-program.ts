/**
 * A process that takes locks when it is told to.
 *
 * With a directory as argument it takes that lock and has nothing else to do. Without one, the parent sends
 * it commands over the channel of `child_process.fork`:
 *
 * - `take`: tries once, and answers with what came of it;
 * - `release`: gives back what it took;
 * - `contend`: takes and releases until it had the lock `rounds` times, and checks each time that nobody
 *   else is inside.
 *
 * @module
 */

import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isVarveError } from '../../src/errors.ts';
import { nodeVfs } from '../../src/vfs/node.ts';
import type { VfsLock } from '../../src/vfs/vfs.ts';

export type Command =
  | { do: 'take'; directory: string }
  | { do: 'release' }
  | { do: 'contend'; directory: string; rounds: number };

export type Answer =
  | { is: 'ready' | 'taken' | 'released' }
  | { is: 'refused'; code: string; pid: number | undefined }
  | { is: 'contended'; rounds: number; refusals: number; intruders: number }
  | { is: 'failed'; message: string };

let lock: VfsLock | undefined;

async function take(directory: string): Promise<Answer> {
  try {
    lock = await nodeVfs.lock(directory);
    return { is: 'taken' };
  } catch (error) {
    if (isVarveError(error)) return { is: 'refused', code: error.code, pid: error.pid };
    throw error;
  }
}

async function release(): Promise<Answer> {
  await lock?.release();
  lock = undefined;
  return { is: 'released' };
}

/** A file that only one can have made: whoever finds it there is not alone. */
async function isAloneIn(directory: string): Promise<boolean> {
  const path = join(directory, 'inside');
  try {
    await (await open(path, 'wx')).close();
  } catch {
    return false;
  }
  await unlink(path);
  return true;
}

async function contend(directory: string, wanted: number): Promise<Answer> {
  let rounds = 0;
  let refusals = 0;
  let intruders = 0;
  while (rounds < wanted) {
    const answer = await take(directory);
    if (answer.is === 'taken') {
      rounds++;
      if (!(await isAloneIn(directory))) intruders++;
      await release();
    } else if (answer.is === 'refused' && answer.code === 'LOCKED') {
      refusals++;
    } else {
      return answer;
    }
  }
  return { is: 'contended', rounds, refusals, intruders };
}

function obey(command: Command): Promise<Answer> {
  if (command.do === 'take') return take(command.directory);
  if (command.do === 'release') return release();
  return contend(command.directory, command.rounds);
}

function answer(message: Answer): void {
  process.send?.(message);
}

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  process.on('message', (command: Command) => {
    obey(command).then(answer, (error: unknown) => answer({ is: 'failed', message: String(error) }));
  });
  answer({ is: 'ready' });
} else {
  process.stdout.write(`${(await take(directory)).is}\n`);
}
