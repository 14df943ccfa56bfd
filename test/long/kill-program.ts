/**
 * A process that appends to a log until it is killed. Its only argument is an `Incarnation`, as JSON.
 *
 * @module
 */

import { writeSync } from 'node:fs';
import { open } from '../../src/open.ts';
import { createRuntime } from '../../src/runtime.ts';
import { nodeVfs } from '../../src/vfs/node.ts';
import { createRandom } from '../kit/random.ts';
import { Contents } from './contents.ts';
import { fatalVfs } from './fatal-vfs.ts';
import { CLIENTS } from './kill-clients.ts';
import { type Acknowledged, encodeFrame, type Incarnation, LOG_NAME, READY } from './kill-plan.ts';

const MEMORY_BYTES = 64 << 20;
const STDOUT = 1;

function report(acknowledged: Acknowledged): void {
  const frame = encodeFrame(acknowledged);
  for (let done = 0; done < frame.length; ) done += writeSync(STDOUT, frame, done);
}

const incarnation = JSON.parse(process.argv[2] as string) as Incarnation;
const { directory, seed, firstClient, fatalCall, fatalShare } = incarnation;
const contents = new Contents(incarnation.contentSeed);
const vfs = fatalCall === undefined ? nodeVfs : fatalVfs(nodeVfs, { call: fatalCall, share: fatalShare });
const database = await open(directory, {
  vfs,
  runtime: createRuntime({ memoryBytes: MEMORY_BYTES, threads: 1 }),
});
const log = await database.log(LOG_NAME, incarnation.options);
report({ client: READY, sequence: 0, offset: log.nextOffset, hash: 0 });

let left = incarnation.records;
const clients = incarnation.clients.map((kind, i) =>
  CLIENTS[kind]({
    log,
    client: firstClient + i,
    contents,
    random: createRandom(seed + i),
    take: () => left-- > 0,
    acknowledge: report,
  }),
);
// It lives until it is killed, or until the one who would have done that is gone.
process.stdin.on('end', () => process.exit(1)).resume();
await Promise.all(clients);
