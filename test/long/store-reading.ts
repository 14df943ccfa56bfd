/**
 * Reads all that is in a database of trees and stores, in several ways that must agree.
 *
 * @module
 */

import type { Clock } from '../../src/clock.ts';
import type { Tree } from '../../src/lsm/tree.ts';
import { aheadMs, type OpenStores } from './open-stores.ts';
import type { Found, StoreModel } from './store-model.ts';

/** Of the keys, how many are looked up one by one. */
const LOOKUPS = 8;

/** What is only derived from something else, and made again when it is not right. */
const DERIVED = /\.(?:index|timeindex|tmp)$/;

/** Verifies every byte. */
export async function verifyStores({ database }: OpenStores): Promise<void> {
  const { problems } = await database.verify({ deep: true });
  const real = problems.filter(({ offsets, file }) => offsets !== undefined || !DERIVED.test(file));
  if (real.length > 0) throw new Error(`verify found: ${JSON.stringify(real)}`);
}

/** @throws Error where two ways of reading do not agree; VarveError where one fails */
export async function readStores(
  stage: { clock: Clock },
  { trees, kv, events }: OpenStores,
  model: StoreModel,
): Promise<Found> {
  const { clock } = stage;
  const fromMs = clock.now();
  const found: Found = {
    trees: new Map(Array.from(trees, ([name, tree]) => [name, readTree(name, tree)])),
    kv: await readKv(kv, model),
    count: Number((await kv.get('n')) ?? 0),
    events: readEvents(events),
    fromMs,
  };
  if ((await events.count()) !== found.events.length) throw new Error('entries are counted wrongly');
  model.see(clock);
  return found;
}

function readTree(name: string, tree: Tree): Map<string, string> {
  const contents = new Map<string, string>();
  for (const [key, value] of tree.entries()) contents.set(key.toString(), value.toString());
  const backward = [...tree.keys({ reverse: true })].map(String).reverse();
  if (backward.join('|') !== [...contents.keys()].join('|'))
    throw new Error(`${name} is read otherwise backward`);
  const every = Math.max(1, Math.floor(contents.size / LOOKUPS));
  let number = 0;
  for (const [key, value] of contents) {
    if (number++ % every !== 0) continue;
    if (tree.getSync(key)?.toString() !== value)
      throw new Error(`${name} is looked up otherwise: ${key.slice(0, 20)}`);
  }
  if (tree.getSync('k00')?.toString() !== contents.get('k00'))
    throw new Error(`${name} is looked up otherwise: k00`);
  return contents;
}

async function readKv(
  kv: OpenStores['kv'],
  model: StoreModel,
): Promise<Map<string, { value: string; expiryMs: number }>> {
  const contents = new Map<string, { value: string; expiryMs: number }>();
  for (const [key, value, expiresAt] of kv.entriesWithExpiry())
    if (key !== 'n')
      contents.set(key, { value, expiryMs: expiresAt === undefined ? 0 : expiresAt + aheadMs(kv) });
  // Who asks for a key is told for good that it has expired.
  for (const key of new Set([...contents.keys(), ...model.kv.keys()])) {
    const entry = await kv.getEntry(key);
    if (entry === undefined) contents.delete(key);
    else if (entry.value !== contents.get(key)?.value) throw new Error(`${key} is looked up otherwise`);
  }
  return contents;
}

function readEvents(events: OpenStores['events']): { timestamp: number; message: string }[] {
  const read = Array.from(events.readSync(), ({ timestamp, message }) => ({ timestamp, message }));
  const backward = Array.from(events.readSync({ reverse: true }), ({ message }) => message).reverse();
  if (backward.join() !== read.map(({ message }) => message).join())
    throw new Error('entries are read otherwise backward');
  return read;
}
