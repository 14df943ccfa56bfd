/** Trees against sorted maps: random calls, snapshots, batches, flushes, closing and opening. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { TreeBatch } from '../../src/lsm/batch.ts';
import type { TreeSnapshot } from '../../src/lsm/snapshot.ts';
import type { Tree } from '../../src/lsm/tree.ts';
import { type OpenTrees, type TreeDisk, useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const NAMES = ['one', 'two'];
/** So small that there are many tables and blocks. */
const OPTIONS = { memtableBytes: 65_536, tableBytes: 16_384, blockBytes: 256 };

/** What a tree must hold: keys and values as hex, so that they sort as bytes. */
type Contents = Map<string, string>;

interface Model {
  trees: Contents[];
  snapshots: Contents[][];
}

interface Real {
  disk: TreeDisk;
  open: OpenTrees;
  trees: Tree[];
  snapshots: TreeSnapshot[];
}

type Command = fc.AsyncCommand<Model, Real>;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string): Buffer => Buffer.from(text, 'hex');
const sorted = (contents: Contents): [string, string][] => [...contents].sort(([a], [b]) => (a < b ? -1 : 1));

/** Few keys, so that they meet; some begin with others. */
const someKey = fc
  .tuple(fc.constantFrom('', 'a', 'aa', 'b', '\0', '\xff'), fc.integer({ min: 0, max: 40 }))
  .map(([start, number]) => Buffer.from(`${start}${number}`, 'latin1'));
const someValue = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 255 }).map((byte) => Buffer.alloc(3000, byte)),
);

type Change =
  | { type: 'put'; tree: number; key: Buffer; value: Buffer }
  | { type: 'delete'; tree: number; key: Buffer }
  | { type: 'deleteRange'; tree: number; start: Buffer; end: Buffer };

const someTree = fc.integer({ min: 0, max: NAMES.length - 1 });
const someChange: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('put' as const),
      tree: someTree,
      key: someKey,
      value: someValue,
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('delete' as const), tree: someTree, key: someKey }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('deleteRange' as const),
      tree: someTree,
      start: someKey,
      end: someKey,
    }),
  },
);

function apply(trees: Contents[], change: Change): void {
  const contents = trees[change.tree] as Contents;
  if (change.type === 'put') contents.set(hex(change.key), hex(change.value));
  else if (change.type === 'delete') contents.delete(hex(change.key));
  else {
    for (const key of [...contents.keys()]) {
      if (key >= hex(change.start) && key < hex(change.end)) contents.delete(key);
    }
  }
}

function write(changes: readonly Change[]): Command {
  return {
    check: () => true,
    toString: () => `write(${changes.map((change) => describe(change)).join('; ')})`,
    async run(model, real) {
      const [first] = changes as [Change];
      const tree = real.trees[first.tree] as Tree;
      if (changes.length > 1) {
        const batch = new TreeBatch(real.open.trees);
        for (const change of changes) batch.add({ ...change, tree: real.trees[change.tree] as Tree });
        await batch.write();
      } else if (first.type === 'put') await tree.put(first.key, first.value);
      else if (first.type === 'delete') await tree.delete(first.key);
      else await tree.deleteRange(first.start, first.end);
      for (const change of changes) apply(model.trees, change);
    },
  };
}

function describe(change: Change): string {
  const { type, tree } = change;
  if (type === 'deleteRange') return `${type} ${tree} ${hex(change.start)} ${hex(change.end)}`;
  return `${type} ${tree} ${hex(change.key)}${type === 'put' ? ` ${change.value.length} bytes` : ''}`;
}

/** Looks at everything, as it is now or as a snapshot has it. */
function look(
  at: number,
  key: Buffer,
  range: {
    gte?: Buffer;
    lt?: Buffer;
    gt?: Buffer;
    lte?: Buffer;
    reverse: boolean;
    limit: number;
    prefix?: Buffer;
  },
): Command {
  return {
    check: () => true,
    toString: () =>
      `look(${at}, ${hex(key)}, ${JSON.stringify(range, (_, value) => (value?.type === 'Buffer' ? hex(Buffer.from(value.data)) : value))})`,
    async run(model, { trees, snapshots }) {
      const index = at < snapshots.length ? at : undefined;
      const snapshot = index === undefined ? {} : { snapshot: snapshots[index] as TreeSnapshot };
      const expected = index === undefined ? model.trees : (model.snapshots[index] as Contents[]);
      for (const [i, tree] of trees.entries()) {
        const contents = expected[i] as Contents;
        expect(tree.getSync(key, snapshot)?.toString('hex')).toBe(contents.get(hex(key)));
        expect(await tree.has(key, snapshot)).toBe(contents.has(hex(key)));
        const all = sorted(contents);
        const many = await tree.getMany(
          all.map(([known]) => bytesOf(known)),
          snapshot,
        );
        expect(many.map((value) => value?.toString('hex'))).toEqual(all.map(([, value]) => value));
        const { reverse, limit, gt, gte, lt, lte, prefix } = range;
        const inRange = all.filter(
          ([one]) =>
            (gt === undefined || one > hex(gt)) &&
            (gte === undefined || one >= hex(gte)) &&
            (lt === undefined || one < hex(lt)) &&
            (lte === undefined || one <= hex(lte)) &&
            (prefix === undefined || one.startsWith(hex(prefix))),
        );
        const wanted = (reverse ? inRange.reverse() : inRange).slice(0, limit);
        const options = {
          ...Object.fromEntries(Object.entries(range).filter(([, value]) => value !== undefined)),
          ...snapshot,
        };
        const got = [...tree.entries(options)].map(([one, value]) => [hex(one), hex(value)]);
        expect(got).toEqual(wanted);
        expect([...tree.keys(options)].map(hex)).toEqual(wanted.map(([one]) => one));
      }
    },
  };
}

/** Moves one iterator about. */
function seek(targets: readonly Buffer[], reverse: boolean): Command {
  return {
    check: () => true,
    toString: () => `seek(${targets.map(hex).join(' ')}, ${reverse})`,
    async run(model, { trees }) {
      const [tree] = trees as [Tree];
      const keys = sorted(model.trees[0] as Contents).map(([key]) => key);
      const iterator = tree.keys({ reverse });
      for (const target of targets) {
        iterator.seek(target);
        const rest = reverse
          ? keys.filter((key) => key <= hex(target)).reverse()
          : keys.filter((key) => key >= hex(target));
        for (const key of rest.slice(0, 3)) expect(hex(iterator.next().value as Buffer)).toBe(key);
        if (rest.length < 3) expect(iterator.next().done).toBe(true);
      }
      iterator.close();
    },
  };
}

const takeSnapshot: Command = {
  check: (model) => model.snapshots.length < 4,
  toString: () => 'snapshot',
  async run(model, real) {
    real.snapshots.push((real.trees[0] as Tree).snapshot());
    model.snapshots.push(model.trees.map((contents) => new Map(contents)));
  },
};

const dropSnapshot: Command = {
  check: (model) => model.snapshots.length > 0,
  toString: () => 'drop snapshot',
  async run(model, real) {
    real.snapshots.shift()?.close();
    model.snapshots.shift();
  },
};

function flush(tree: number): Command {
  return {
    check: () => true,
    toString: () => `flush(${tree})`,
    run: (_, { trees }) => (trees[tree] as Tree).flush(),
  };
}

function compact(tree: number, range: { gte?: Buffer; lt?: Buffer }): Command {
  return {
    check: () => true,
    toString: () => `compact(${tree})`,
    run: (_, { trees }) =>
      (trees[tree] as Tree).compact({
        ...(range.gte === undefined ? {} : { gte: range.gte }),
        ...(range.lt === undefined ? {} : { lt: range.lt }),
      }),
  };
}

const reopen: Command = {
  check: () => true,
  toString: () => 'reopen',
  async run(model, real) {
    await real.open.trees.close();
    real.open = await kit.open(real.disk);
    real.trees = await Promise.all(NAMES.map((name) => real.open.tree(name, OPTIONS)));
    real.snapshots = [];
    model.snapshots = [];
  },
};

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });
const commands = [
  fc.array(someChange, { minLength: 1, maxLength: 1 }).map(write),
  fc.array(someChange, { minLength: 1, maxLength: 30 }).map(write),
  fc
    .tuple(
      fc.integer({ min: 0, max: 6 }),
      someKey,
      fc.record({
        gt: maybe(someKey),
        gte: maybe(someKey),
        lt: maybe(someKey),
        lte: maybe(someKey),
        prefix: fc.option(fc.constantFrom(Buffer.from('a'), Buffer.from('aa1'), Buffer.from([0xff])), {
          nil: undefined,
          freq: 5,
        }),
        reverse: fc.boolean(),
        limit: fc.constantFrom(0, 1, 5, 1000),
      }),
    )
    .map(([at, key, range]) => look(at, key, range as Parameters<typeof look>[2])),
  fc
    .tuple(fc.array(someKey, { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([targets, reverse]) => seek(targets, reverse)),
  fc.constant(takeSnapshot),
  fc.constant(dropSnapshot),
  someTree.map(flush),
  fc
    .tuple(someTree, fc.record({ gte: maybe(someKey), lt: maybe(someKey) }))
    .map(([tree, range]) => compact(tree, range)),
  fc.constant(reopen),
];

test('trees hold what sorted maps would, whatever is done to them', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { size: '+1', maxCommands: 40 }), async (calls) => {
      const disk = await kit.disk();
      const open = await kit.open(disk);
      const trees = await Promise.all(NAMES.map((name) => open.tree(name, OPTIONS)));
      const model: Model = { trees: NAMES.map(() => new Map()), snapshots: [] };
      try {
        await fc.asyncModelRun(() => ({ model, real: { disk, open, trees, snapshots: [] } }), calls);
      } finally {
        await kit.end();
      }
    }),
    { numRuns: 80, seed: 20_240_502, endOnFailure: false },
  );
});
