/**
 * Looks at a machine that has woken up: opens the database, compares it with what is owed, and has it live on.
 *
 * @module
 */

import { open } from '../../src/open.ts';
import { type CrashVfs, createFaultVfs } from '../../src/testing/testing.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { checkMemory, type Stage, until } from './laboratory.ts';
import { COPY_DIRECTORY, type OpenStores, openStores, STORES_DIRECTORY } from './open-stores.ts';
import type { Found, Owed, StoreModel } from './store-model.ts';
import { readStores, verifyStores } from './store-reading.ts';
import { type StoreOptions, TREE_NAMES } from './store-steps.ts';

export interface StoreExaminerParts {
  stage: Stage;
  model: StoreModel;
  options: StoreOptions;
  /** Whether it is used, too, which leaves something new in it; so unless told. */
  livesOn?: boolean;
}

export class StoreExaminer {
  readonly #parts: StoreExaminerParts;
  #number = 0;

  constructor(parts: StoreExaminerParts) {
    this.#parts = parts;
  }

  /**
   * @param copies when checkpoints were begun, as ticks, in their order
   * @throws Error that says what is wrong
   */
  async examine(disk: CrashVfs, owed: Owed, copies: readonly number[] = []): Promise<Found> {
    const vfs = createFaultVfs(disk, []);
    const isThorough = this.#number++ % 4 === 0;
    const found = await this.#visit(vfs, STORES_DIRECTORY, owed, async (open) => {
      if (isThorough && this.#parts.livesOn !== false) await this.#liveOn(open);
    });
    if (isThorough) await until(this.#parts.stage, 'looking for tables', this.#checkTables(vfs));
    for (const [i, from] of copies.entries()) {
      const directory = `${COPY_DIRECTORY}${i}`;
      if ((await vfs.stat(`${directory}/VERSION`)) === undefined) continue;
      await this.#visit(vfs, directory, { ...owed, owedTick: from });
    }
    if (vfs.openFiles > 0) throw new Error(`${vfs.openFiles} files are still open`);
    checkMemory(this.#parts.stage);
    return found;
  }

  async #visit(
    vfs: Vfs,
    directory: string,
    owed: Owed,
    use?: (open: OpenStores) => Promise<void>,
  ): Promise<Found> {
    const { stage, model, options } = this.#parts;
    const read = async (then?: (open: OpenStores) => Promise<void>): Promise<Found> => {
      const open = await openStores(stage, vfs, options, directory);
      try {
        const found = await readStores(stage, open, model);
        model.check(found, owed);
        await verifyStores(open);
        await then?.(open);
        return found;
      } finally {
        await open.database.close();
      }
    };
    const first = await until(stage, `visiting ${directory}`, read());
    // Opening it once more changes nothing.
    const second = await until(stage, `visiting ${directory} again`, read(use));
    if (textOf(first) !== textOf(second)) throw new Error('a second recovery finds something else');
    return first;
  }

  /** Of a database that was closed, there are no tables but those that trees have. */
  async #checkTables(vfs: Vfs): Promise<void> {
    const { runtime } = this.#parts.stage;
    const database = await open(STORES_DIRECTORY, { runtime, vfs, readOnly: true });
    try {
      for (const name of TREE_NAMES) {
        const there = await vfs.readdir(`${STORES_DIRECTORY}/trees/${name}`);
        const known = [...(await database.tree(name)).tables()].length;
        if (there.length > known)
          throw new Error(`${name} has ${known} tables, and ${there.join()} are there`);
      }
    } finally {
      await database.close();
    }
  }

  /** Goes on writing, flushes and merges all, and finds it. */
  async #liveOn({ database, trees, kv, events }: OpenStores): Promise<void> {
    const before = [...trees].map(([, tree]) => [...tree.keys()].length);
    const batch = database.batch();
    for (const tree of trees.values()) batch.put(tree, 'zz', 'here');
    await batch.write();
    await kv.set('zz', 'here');
    const entries = [...events.readSync()].length;
    await events.write({ message: '0.0', timestamp: 1 });
    for (const tree of trees.values()) await tree.compact();
    await events.compact();
    for (const [i, [name, tree]] of [...trees].entries()) {
      if (tree.getSync('zz')?.toString() !== 'here') throw new Error(`${name} does not go on`);
      const after = [...tree.keys()].length;
      if (name !== 'win' && after !== (before[i] as number) + 1)
        throw new Error(`${name} is merged into ${after} keys`);
      await tree.delete('zz');
    }
    if (kv.getSync('zz') !== 'here') throw new Error('keys do not go on');
    if ([...events.readSync()].length !== entries + 1) throw new Error('entries do not go on');
  }
}

function textOf({ trees, events, count, kv }: Found): string {
  // What was due meanwhile may have gone.
  const lasting = [...kv].filter(([, { expiryMs }]) => expiryMs === 0);
  const contents = [...trees].filter(([name]) => name !== 'win').map(([name, tree]) => [name, ...tree]);
  return JSON.stringify([contents, lasting, count, events]);
}
