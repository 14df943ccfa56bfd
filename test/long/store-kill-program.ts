/**
 * A process that writes to trees and stores until it is killed. Its only argument is a `StoreLife`, as JSON. Of each
 * write it says a line before it asks for it, and another one when it was told that it is there.
 *
 * @module
 */

import { writeSync } from 'node:fs';
import type { Tree } from '../../src/lsm/tree.ts';
import { createRuntime } from '../../src/runtime.ts';
import { nodeVfs } from '../../src/vfs/node.ts';
import { createRandom, type Random } from '../kit/random.ts';
import { fatalVfs } from './fatal-vfs.ts';
import { openStores } from './open-stores.ts';
import { kvLife, pieceOf, READY_LINE, type StoreLife } from './store-kill-plan.ts';
import { eventWrite, kvWrites, SIZES, treeWrite } from './store-operations.ts';
import { TREE_NAMES, type TreeName } from './store-steps.ts';

const MEMORY_BYTES = 64 << 20;
const STDOUT = 1;

function say(line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  for (let done = 0; done < bytes.length; ) done += writeSync(STDOUT, bytes, done);
}

const life = JSON.parse(process.argv[2] as string) as StoreLife;
const { seed, directory, options, fatalCall, fatalShare } = life;
const vfs = fatalCall === undefined ? nodeVfs : fatalVfs(nodeVfs, { call: fatalCall, share: fatalShare });
const runtime = createRuntime({ memoryBytes: MEMORY_BYTES, threads: 1 });
const { database, trees, kv, events } = await openStores({ runtime }, vfs, options, directory);
const handover = await events.handover();
say(READY_LINE);

let nextId = life.firstId;
let left = life.writes;

async function write(random: Random): Promise<void> {
  const id = nextId++;
  const nowMs = Date.now();
  const size = random.pick(SIZES);
  const { operations } = treeWrite(pieceOf(id), seed, nowMs, size);
  const batch = database.batch();
  for (const { tree: name, kind, key, value } of operations) {
    const tree = trees.get(name as TreeName) as Tree;
    if (kind === 'put') batch.put(tree, key, value);
    else if (kind === 'delete') batch.delete(tree, key);
    else batch.deleteRange(tree, key, value);
  }
  say(`w ${id} ${nowMs} ${size}`);
  await batch.write({ durability: random.pick(['written', 'synced']) });
  say(`a ${id}`);
}

async function set(): Promise<void> {
  const id = nextId++;
  const nowMs = Date.now();
  say(`k ${id} ${nowMs}`);
  await kvLife(kv, kvWrites(pieceOf(id), seed, nowMs));
  say(`a ${id}`);
}

async function log(): Promise<void> {
  const id = nextId++;
  const { entries } = eventWrite(pieceOf(id), seed);
  say(`e ${id}`);
  await events.writeMany(entries, { durability: 'written' });
  say(`a ${id}`);
}

function hand(): void {
  const id = nextId++;
  const { entries } = eventWrite(pieceOf(id), seed);
  say(`e ${id}`);
  handover.take(entries);
  say(`a ${id}`);
}

async function client(random: Random): Promise<void> {
  while (left-- > 0) {
    const kind = random.next();
    if (kind < 0.4) await write(random);
    else if (kind < 0.6) await set();
    else if (kind < 0.75) await log();
    else if (kind < 0.85) hand();
    else if (kind < 0.95) await (trees.get(random.pick(TREE_NAMES)) as Tree).flush();
    else if (kind < 0.97) await (trees.get(random.pick(TREE_NAMES)) as Tree).compact();
    else if (kind < 0.98) await events.compact();
    else await kv.sweep();
  }
}

// It lives until it is killed, or until the one who would have done that is gone.
process.stdin.on('end', () => process.exit(1)).resume();
await Promise.all(
  Array.from({ length: life.clients }, (_, i) => client(createRandom(seed + life.firstId + i))),
);
