/** A compacted log against an array of all that was ever appended: random calls, passing time, and power cuts. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { CrashVfs } from '../../src/testing/crash.ts';
import { COMPACTED, expectCompacted, type Keyed, repeatedKeys } from '../kit/keyed.ts';
import { DIRECTORY, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();
const RETENTION_MS = 10_000;

interface Model {
  all: Keyed[];
  /** Offsets below survive a power cut. */
  synced: number;
  /** Whether time enough has passed for a deletion to be forgotten. */
  mayForget: boolean;
}

interface Real {
  vfs: CrashVfs;
  options: LogOptions;
  log: Log;
}

type Command = fc.AsyncCommand<Model, Real>;

async function expectSame(model: Model, { log }: Real): Promise<void> {
  await expectCompacted(log, model.all, !model.mayForget);
}

function append(keys: readonly number[], bytes: number, isSynced: boolean): Command {
  return {
    check: () => true,
    toString: () => `append(${JSON.stringify(keys)} of ${bytes}${isSynced ? ', synced' : ''})`,
    async run(model, { log }) {
      const records = keys.map((key, i) => {
        const offset = model.all.length + i;
        // One in five deletes its key.
        const value = (key + offset) % 5 === 0 ? null : `${offset}`.padEnd(bytes, '.');
        return { key: `${key}`, value };
      });
      const { lastOffset } = await log.appendMany(records, { durability: isSynced ? 'synced' : 'written' });
      model.all.push(...records);
      expect(lastOffset).toBe(model.all.length - 1);
      if (isSynced) model.synced = model.all.length;
    },
  };
}

function compact(rolls: boolean): Command {
  return {
    check: () => true,
    toString: () => `compact(${rolls})`,
    async run(model, real) {
      if (rolls) await real.log.roll();
      const { skipped, cleanedTo } = await real.log.compact({ force: true });
      expect(skipped).toEqual([]);
      expect(await repeatedKeys(real.log, cleanedTo)).toEqual([]);
      await expectSame(model, real);
      expect((await real.log.verify()).problems.filter(({ offsets }) => offsets !== undefined)).toEqual([]);
    },
  };
}

function pass(ms: number): Command {
  return {
    check: () => true,
    toString: () => `pass(${ms})`,
    async run(model) {
      await kit.clock.advance(ms);
      model.mayForget = true;
    },
  };
}

const truncate: Command = {
  check: (model) => model.all.length > 0,
  toString: () => 'truncate',
  async run(model, real) {
    await real.log.sync();
    model.synced = model.all.length;
    await real.log.truncateBefore(real.log.firstOffset + ((real.log.nextOffset - real.log.firstOffset) >> 2));
    await expectSame(model, real);
  },
};

const reopen: Command = {
  check: () => true,
  toString: () => 'reopen',
  async run(model, real) {
    await real.log.close();
    real.log = await kit.open(real, real.options);
    model.synced = model.all.length;
    await expectSame(model, real);
  },
};

/** Stops the machine, in the middle of a compaction or not. */
function crash(seed: number, isCompacting: boolean): Command {
  return {
    check: () => true,
    toString: () => `crash(${seed}, ${isCompacting})`,
    async run(model, real) {
      const compacting = isCompacting ? real.log.compact({ force: true }) : Promise.resolve();
      for (let i = 0; i < seed % 120; i++) await Promise.resolve();
      model.synced = Math.max(model.synced, real.log.durable.synced);
      const woken = real.vfs.preview({ seed });
      await compacting.catch(() => undefined);
      await real.log.close().catch(() => undefined);
      real.vfs = woken;
      real.log = await kit.open(real, real.options);
      expect(real.log.nextOffset).toBeGreaterThanOrEqual(model.synced);
      model.all.length = Math.min(model.all.length, real.log.nextOffset);
      model.synced = model.all.length;
      await expectSame(model, real);
    },
  };
}

const commands = [
  fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 40 }),
      fc.constantFrom(5, 60, 900),
      fc.boolean(),
    )
    .map(([keys, bytes, isSynced]) => append(keys, bytes, isSynced)),
  fc.boolean().map(compact),
  fc.constantFrom(1, RETENTION_MS).map(pass),
  fc.constant(truncate),
  fc.constant(reopen),
  fc.tuple(fc.integer({ min: 1, max: 1_000_000 }), fc.boolean()).map(([seed, is]) => crash(seed, is)),
];

test('a compacted log has the last record of each key, whatever is done to it', {
  timeout: 60_000,
}, async () => {
  const someOptions = fc.record({
    segmentBytes: fc.constantFrom(4096, 16_384),
    batchBytes: fc.constantFrom(64, 512, 16_384),
    indexIntervalBytes: fc.constantFrom(1, 700),
    preallocate: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      someOptions,
      fc.commands(commands, { size: '+1', maxCommands: 20 }),
      async (some, calls) => {
        const vfs = new CrashVfs();
        await vfs.mkdir(DIRECTORY);
        for (const directory of ['/', '/logs']) await vfs.syncDir(directory);
        const options = { ...COMPACTED, ...some, deleteRetentionMs: RETENTION_MS };
        const log = await kit.open({ vfs }, options);
        const model: Model = { all: [], synced: 0, mayForget: false };
        try {
          await fc.asyncModelRun(() => ({ model, real: { vfs, options, log } }), calls);
        } finally {
          await kit.end();
        }
      },
    ),
    { numRuns: 40, seed: 20_261_122, endOnFailure: false },
  );
});
