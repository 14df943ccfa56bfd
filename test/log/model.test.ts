/** A log against an array: random calls, closing, opening and power cuts, under random options. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { CrashVfs } from '../../src/testing/crash.ts';
import { batchBytes } from '../kit/batch-bytes.ts';
import { settle } from '../kit/clock.ts';
import { DIRECTORY, failureCode, range, readRecords, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();

/** What the log must hold. */
interface Model {
  /** All values that were ever acknowledged and not lost in a power cut, from offset 0 on. */
  values: string[];
  first: number;
  /** Offsets below survive a power cut. */
  synced: number;
  written: number;
}

interface Real {
  vfs: CrashVfs;
  options: LogOptions;
  log: Log;
}

type Command = fc.AsyncCommand<Model, Real>;

async function makeDisk(): Promise<CrashVfs> {
  const vfs = new CrashVfs();
  await vfs.mkdir(DIRECTORY);
  await vfs.syncDir('/');
  await vfs.syncDir('/logs');
  return vfs;
}

let made = 0;

/** Values that differ from all others. */
function makeValues(count: number, bytes: number): string[] {
  return range(0, count).map(() => `${made++}`.padEnd(bytes, '.'));
}

async function expectSame(model: Model, { log }: Real): Promise<void> {
  const { first, values } = model;
  expect([log.firstOffset, log.nextOffset]).toEqual([first, values.length]);
  const records = (await readRecords(log)).map(({ offset, value }) => `${offset} ${value}`);
  expect(records).toEqual(range(first, values.length).map((i) => `${i} ${values[i]}`));
}

/** Everything that was appended is written at least. */
function noteAppended(model: Model, { log }: Real, values: readonly string[]): void {
  model.values.push(...values);
  model.written = model.values.length;
  model.synced = Math.max(model.synced, log.durable.synced);
}

function append(
  count: number,
  bytes: number,
  how: 'one' | 'many' | 'enqueue' | 'foreign',
  isSafe: boolean,
): Command {
  return {
    check: () => true,
    toString: () => `append(${count} of ${bytes}, ${how}${isSafe ? ', synced' : ''})`,
    async run(model, real) {
      const { log } = real;
      const values = makeValues(count, bytes);
      const from = log.nextOffset;
      const durability = isSafe ? 'synced' : 'written';
      if (how === 'one') {
        const offsets = await Promise.all(values.map((value) => log.append({ value }, { durability })));
        expect(offsets).toEqual(range(from, from + count));
      } else if (how === 'many') {
        const appended = await log.appendMany(
          values.map((value) => ({ value })),
          { durability },
        );
        expect(appended).toEqual({ firstOffset: from, lastOffset: from + count - 1 });
      } else if (how === 'foreign') {
        const records = values.map((value, i) => ({ offsetDelta: i, value: Buffer.from(value) }));
        await log.appendBatches(batchBytes({ records }), { durability });
      } else {
        for (const value of values) log.enqueue({ value });
        await log.reached(from + count - 1, durability);
      }
      noteAppended(model, real, values);
      if (isSafe) expect(model.synced).toBe(model.values.length);
    },
  };
}

function look(share: number, limit: number): Command {
  return {
    check: (model) => model.values.length > model.first,
    toString: () => `look(${share}, ${limit})`,
    async run(model, real) {
      // What readers may see by the log's own policy is all, once it is synced.
      await real.log.sync();
      model.synced = model.values.length;
      const { first, values } = model;
      const at = first + Math.min(values.length - first - 1, Math.floor(share * (values.length - first)));
      expect((await real.log.get(at)).value?.toString()).toBe(values[at]);
      const some = await readRecords(real.log, { fromOffset: at, limit });
      expect(some.map(({ value }) => value?.toString())).toEqual(values.slice(at, at + limit));
      expect(await failureCode(real.log.get(values.length))).toBe('OUT_OF_RANGE');
      if (first > 0) expect(await failureCode(real.log.get(first - 1))).toBe('OUT_OF_RANGE');
    },
  };
}

function truncate(share: number): Command {
  return {
    check: (model) => model.values.length > model.first,
    toString: () => `truncate(${share})`,
    async run(model, real) {
      await real.log.sync();
      model.synced = model.values.length;
      model.first += Math.floor(share * (model.values.length - model.first));
      await real.log.truncateBefore(model.first);
      await expectSame(model, real);
    },
  };
}

const verify: Command = {
  check: () => true,
  toString: () => 'verify',
  async run(_, { log }) {
    await settle(2);
    expect((await log.verify()).problems.filter(({ file }) => file.endsWith('.log'))).toEqual([]);
  },
};

const reopen: Command = {
  check: () => true,
  toString: () => 'reopen',
  async run(model, real) {
    await real.log.close();
    real.log = await kit.open(real, real.options);
    expect(real.log.recovery.wasClean).toBe(true);
    model.synced = model.written = model.values.length;
    await expectSame(model, real);
  },
};

function crash(seed: number): Command {
  return {
    check: () => true,
    toString: () => `crash(${seed})`,
    async run(model, real) {
      model.synced = Math.max(model.synced, real.log.durable.synced);
      const woken = real.vfs.crash({ seed });
      await real.log.close().catch(() => undefined);
      real.vfs = woken;
      real.log = await kit.open(real, real.options);
      const { nextOffset } = real.log;
      expect(nextOffset).toBeGreaterThanOrEqual(model.synced);
      expect(nextOffset).toBeLessThanOrEqual(model.written);
      model.values.length = nextOffset;
      model.synced = model.written = nextOffset;
      await expectSame(model, real);
    },
  };
}

const commands = [
  fc
    .tuple(
      fc.integer({ min: 1, max: 30 }),
      fc.constantFrom(8, 100, 700, 3000),
      fc.constantFrom('one' as const, 'many' as const, 'enqueue' as const, 'foreign' as const),
      fc.boolean(),
    )
    .map(([count, bytes, how, isSafe]) => append(count, bytes, how, isSafe)),
  fc
    .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 50 }))
    .map(([share, limit]) => look(share, limit)),
  fc.double({ min: 0, max: 1, noNaN: true }).map(truncate),
  fc.constant(verify),
  fc.constant(reopen),
  fc.integer({ min: 1, max: 1_000_000 }).map(crash),
];

const someOptions: fc.Arbitrary<LogOptions> = fc.record({
  sync: fc.constantFrom<NonNullable<LogOptions['sync']>>(
    { mode: 'always' },
    { mode: 'never' },
    { mode: 'interval', intervalMs: 50 },
    // Every record is a reason to sync: the clock stands still.
    { mode: 'batch', maxRecords: 1 },
    { mode: 'adaptive' },
  ),
  segmentBytes: fc.constantFrom(4096, 16_384, 1_000_000),
  indexIntervalBytes: fc.constantFrom(1, 600, 4096),
  batchBytes: fc.constantFrom(64, 1000, 16_384),
  preallocate: fc.boolean(),
});

test('a log holds what an array would, whatever is done to it', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      someOptions,
      fc.commands(commands, { size: '+1', maxCommands: 25 }),
      async (options, calls) => {
        const vfs = await makeDisk();
        const log = await kit.open({ vfs }, options);
        const model: Model = { values: [], first: 0, synced: 0, written: 0 };
        try {
          await fc.asyncModelRun(() => ({ model, real: { vfs, options, log } }), calls);
        } finally {
          await kit.end();
        }
      },
    ),
    { numRuns: 60, seed: 20_240_501, endOnFailure: false },
  );
});
