/** Who follows a log, or what is made of one, and waits, keeps its process alive; who has stopped does not. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { finished, MAIN, temporaryDirectory } from '../cli/command.ts';

const LIBRARY = pathToFileURL(join(MAIN, '../../index.js')).href;
const SCRIPT = `
import { open } from ${JSON.stringify(LIBRARY)};
const [directory] = process.argv.slice(1);
const db = await open(directory);
const [log, kv, tree, events] = [await db.log('l'), await db.kv('k'), await db.tree('t'), await db.events('e')];
const following = { follow: true };
const readers = [
  (signal) => log.read({ ...following, signal }),
  (signal) => kv.changes({ ...following, signal }),
  (signal) => tree.changes({ ...following, signal }),
  (signal) => events.read({ ...following, signal }),
];
for (const read of readers) {
  try {
    // The timer of this signal keeps no process alive.
    for await (const found of read(AbortSignal.timeout(50))) console.log(found);
  } catch (error) {
    console.log(error.name);
  }
}
// Somebody waits who is told of the end.
const last = log.read({ ...following }).next().catch((error) => console.log(error.code));
setTimeout(() => db.close(), 20).unref();
await last;
// Nobody does: what has nothing else to do ends, also where it is not closed.
const again = await open(directory + '-2');
const other = (await again.log('l')).read({ ...following });
console.log('end');
`;

test('who waits at the end of what is followed keeps the process alive, and nobody else does', async () => {
  const ran = await finished(
    spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, join(temporaryDirectory(), 'db')]),
  );
  expect(ran.stderr).toBe('');
  expect(ran.stdout).toBe(`${'TimeoutError\n'.repeat(4)}CLOSED\nend\n`);
  expect(ran.code).toBe(0);
});
