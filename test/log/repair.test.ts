/**
 * What a repair makes of each kind of damage, in both modes: a table. Whatever it does, it says so before in a
 * dry run, throws no byte away, and leaves a log that opens in the default mode and of which every record can
 * be read.
 */

import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import { REPAIR_MODES, type RepairMode } from '../../src/log/repair-report.ts';
import { type Database, open } from '../../src/open.ts';
import { type RepairReport, repair } from '../../src/repair.ts';
import { createFaultVfs, type FaultVfs } from '../../src/testing/fault.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { crc32cOf } from '../kit/batch-bytes.ts';
import {
  appendBytes,
  copyDatabase,
  cut,
  DATABASE,
  flip,
  LOG_DIRECTORY,
  LOG_OPTIONS,
  makeDisks,
  pathOf,
  positionOf,
  RECORDS,
  smallRuntime,
  valueOf,
} from '../kit/damage.ts';
import {
  damageFile,
  differences,
  failure,
  fileBytes,
  putFile,
  range,
  readRecords,
  tree,
} from '../kit/log-kit.ts';

const runtime = smallRuntime();
const ALL = range(0, RECORDS);
const POINT = `${LOG_DIRECTORY}/recovery-point`;
let disks: { stopped: Vfs; closed: Vfs };
let opened: Database[] = [];
let watched: FaultVfs[] = [];

beforeAll(async () => {
  disks = await makeDisks(runtime);
});

afterEach(async () => {
  for (const database of opened) await database.close();
  const leaks = { slabs: runtime.memory.slabs.inUse(), files: watched.map(({ openFiles }) => openFiles) };
  expect(leaks).toEqual({ slabs: [], files: watched.map(() => 0) });
  opened = [];
  watched = [];
});

type State = 'stopped' | 'closed';
type Lost = [first: number, last: number][];

interface Outcome {
  /** The offsets that can be read afterwards. */
  keeps: number[];
  lost?: Lost;
  first?: number;
  next?: number;
}

interface Case {
  /** Whether the log had been closed; both unless given. */
  states?: State[];
  damage: (vfs: Vfs) => Promise<void>;
  /** What is wrong: file, position, and the offsets that cannot be read. */
  wrong: () => [file: string, position: number, lost?: [number, number]][];
  pointInTime: Outcome;
  skipAnyCorrupted: Outcome;
}

const without = (first: number, last: number): number[] => ALL.filter((i) => i < first || i > last);

/** The outcomes where whole records follow what is lost. */
function lostBetween(first: number, last: number): Pick<Case, RepairMode> {
  return {
    pointInTime: { keeps: range(0, first), lost: [[first, RECORDS - 1]], next: first },
    skipAnyCorrupted: { keeps: without(first, last), lost: [[first, last]], first: 0 },
  };
}

const BOTH_KEEP_ALL: Pick<Case, RepairMode> = {
  pointInTime: { keeps: ALL },
  skipAnyCorrupted: { keeps: ALL },
};
const tornAt = (offset: number): Pick<Case, RepairMode> => {
  const outcome = { keeps: range(0, offset), next: offset };
  return { pointInTime: outcome, skipAnyCorrupted: outcome };
};

const CASES: Record<string, Case> = {
  'a wrong byte in the middle of a sealed segment': {
    damage: (vfs) => flip(vfs, 4, 5),
    wrong: () => [[pathOf(4), positionOf(4, 5), [5, 5]]],
    ...lostBetween(5, 5),
  },
  'a wrong byte in the first batch of the log': {
    damage: (vfs) => flip(vfs, 0, 0),
    wrong: () => [[pathOf(0), 0, [0, 0]]],
    ...lostBetween(0, 0),
  },
  'a wrong byte in the last batch of a sealed segment': {
    damage: (vfs) => flip(vfs, 4, 7),
    wrong: () => [[pathOf(4), positionOf(4, 7), [7, 7]]],
    ...lostBetween(7, 7),
  },
  'a wrong byte in the active segment': {
    damage: (vfs) => flip(vfs, 12, 13),
    wrong: () => [[pathOf(12), positionOf(12, 13), [13, 13]]],
    ...lostBetween(13, 13),
  },
  'several damaged batches, side by side and apart': {
    damage: async (vfs) => {
      for (const offset of [1, 2]) await flip(vfs, 0, offset);
      await flip(vfs, 8, 10);
    },
    wrong: () => [
      [pathOf(0), positionOf(0, 1), [1, 2]],
      [pathOf(8), positionOf(8, 10), [10, 10]],
    ],
    pointInTime: { keeps: [0], lost: [[1, 14]], next: 1 },
    skipAnyCorrupted: {
      keeps: ALL.filter((i) => ![1, 2, 10].includes(i)),
      lost: [
        [1, 2],
        [10, 10],
      ],
    },
  },
  'a wrong base offset': {
    damage: (vfs) => flip(vfs, 4, 5, 7, 5 ^ 40),
    wrong: () => [[pathOf(4), positionOf(4, 5), [5, 5]]],
    ...lostBetween(5, 5),
  },
  'a wrong batch length': {
    damage: (vfs) => flip(vfs, 4, 5, 11),
    wrong: () => [[pathOf(4), positionOf(4, 5), [5, 5]]],
    ...lostBetween(5, 5),
  },
  'a wrong magic number': {
    damage: (vfs) => flip(vfs, 4, 5, 16),
    wrong: () => [[pathOf(4), positionOf(4, 5), [5, 5]]],
    ...lostBetween(5, 5),
  },
  'a wrong checksum': {
    damage: (vfs) => flip(vfs, 4, 5, 17),
    wrong: () => [[pathOf(4), positionOf(4, 5), [5, 5]]],
    ...lostBetween(5, 5),
  },
  'a wrong record count': {
    damage: (vfs) => flip(vfs, 4, 5, 60),
    wrong: () => [[pathOf(4), positionOf(4, 5), [5, 5]]],
    ...lostBetween(5, 5),
  },
  'records that are broken under a right checksum': {
    damage: async (vfs) => {
      await flip(vfs, 4, 5, 61, 0x10);
      const bytes = await fileBytes(vfs, pathOf(4));
      const batch = bytes.subarray(positionOf(4, 5), positionOf(4, 6));
      batch.writeUInt32BE(crc32cOf(batch.subarray(21)), 17);
      await putFile(vfs, pathOf(4), bytes);
    },
    wrong: () => [[pathOf(4), positionOf(4, 5), [5, 5]]],
    ...lostBetween(5, 5),
  },
  'a missing segment': {
    damage: (vfs) => vfs.remove(pathOf(4)),
    wrong: () => [
      [pathOf(4), 0, [4, 7]],
      [pathOf(4, 'index'), 0],
      [pathOf(4, 'timeindex'), 0],
    ],
    ...lostBetween(4, 7),
  },
  'the first segment missing': {
    damage: (vfs) => vfs.remove(pathOf(0)),
    wrong: () => [
      [pathOf(0), 0, [0, 3]],
      [pathOf(0, 'index'), 0],
      [pathOf(0, 'timeindex'), 0],
    ],
    pointInTime: { keeps: range(4, 15), lost: [[0, 3]] },
    skipAnyCorrupted: { keeps: range(4, 15), lost: [[0, 3]] },
  },
  'the last segment missing': {
    states: ['closed'],
    damage: (vfs) => vfs.remove(pathOf(12)),
    wrong: () => [
      [pathOf(12), 0, [12, 14]],
      [pathOf(12, 'index'), 0],
      [pathOf(12, 'timeindex'), 0],
    ],
    pointInTime: { keeps: range(0, 12), lost: [[12, 14]], next: 12 },
    skipAnyCorrupted: { keeps: range(0, 12), lost: [[12, 14]], next: 15 },
  },
  'all segments missing': {
    states: ['closed'],
    damage: async (vfs) => {
      for (const base of [0, 4, 8, 12]) {
        for (const kind of ['log', 'index', 'timeindex'] as const) await vfs.remove(pathOf(base, kind));
      }
    },
    wrong: () => [[pathOf(0), 0, [0, 14]]],
    pointInTime: { keeps: [], lost: [[0, 14]], next: 0 },
    skipAnyCorrupted: { keeps: [], lost: [[0, 14]], next: 15 },
  },
  'a segment that ends between two batches': {
    damage: (vfs) => cut(vfs, 4, 6, 0),
    wrong: () => [[pathOf(4), positionOf(4, 6), [6, 7]]],
    ...lostBetween(6, 7),
  },
  'a segment that ends within a batch': {
    damage: (vfs) => cut(vfs, 4, 6, 300),
    wrong: () => [[pathOf(4), positionOf(4, 6), [6, 7]]],
    ...lostBetween(6, 7),
  },
  'an empty segment': {
    damage: (vfs) => cut(vfs, 4, 4, 0),
    wrong: () => [[pathOf(4), 0, [4, 7]]],
    ...lostBetween(4, 7),
  },
  'the last segment ends early': {
    states: ['closed'],
    damage: (vfs) => cut(vfs, 12, 13, 100),
    wrong: () => [[pathOf(12), positionOf(12, 13), [13, 14]]],
    pointInTime: { keeps: range(0, 13), lost: [[13, 14]], next: 13 },
    skipAnyCorrupted: { keeps: range(0, 13), lost: [[13, 14]], next: 15 },
  },
  'a missing index': {
    damage: (vfs) => vfs.remove(pathOf(4, 'index')),
    wrong: () => [[pathOf(4, 'index'), 0]],
    ...BOTH_KEEP_ALL,
  },
  'a damaged time index': {
    damage: (vfs) => damageFile(vfs, pathOf(4, 'timeindex'), 9),
    wrong: () => [[pathOf(4, 'timeindex'), 0]],
    ...BOTH_KEEP_ALL,
  },
  'a damaged index of the active segment': {
    states: ['closed'],
    damage: (vfs) => damageFile(vfs, pathOf(12, 'index'), 3),
    wrong: () => [[pathOf(12, 'index'), 0]],
    ...BOTH_KEEP_ALL,
  },
  'a damaged recovery point': {
    damage: (vfs) => damageFile(vfs, POINT, 70),
    wrong: () => [[POINT, 0]],
    ...BOTH_KEEP_ALL,
  },
  'a missing recovery point': {
    damage: (vfs) => vfs.remove(POINT),
    wrong: () => [[POINT, 0]],
    ...BOTH_KEEP_ALL,
  },
  'damage that no recovery point knows of': {
    damage: async (vfs) => {
      await vfs.remove(POINT);
      await vfs.remove(pathOf(8));
      await flip(vfs, 4, 6);
    },
    wrong: () => [
      [pathOf(4), positionOf(4, 6), [6, 6]],
      [pathOf(8), 0, [8, 11]],
      [POINT, 0],
      [pathOf(8, 'index'), 0],
      [pathOf(8, 'timeindex'), 0],
    ],
    pointInTime: { keeps: range(0, 6), lost: [[6, 14]], next: 6 },
    skipAnyCorrupted: {
      keeps: [...range(0, 6), 7, 12, 13, 14],
      lost: [
        [6, 6],
        [8, 11],
      ],
    },
  },
  'a torn tail': {
    states: ['stopped'],
    damage: (vfs) => cut(vfs, 12, 14, 300),
    wrong: () => [[pathOf(12), positionOf(12, 14)]],
    ...tornAt(14),
  },
  'a last batch with a wrong byte': {
    states: ['stopped'],
    damage: (vfs) => flip(vfs, 12, 14),
    wrong: () => [[pathOf(12), positionOf(12, 14)]],
    ...tornAt(14),
  },
  'bytes that a failed write left behind a sealed segment': {
    damage: (vfs) => appendBytes(vfs, pathOf(4), Buffer.from('left behind')),
    wrong: () => [[pathOf(4), positionOf(4, 8)]],
    ...BOTH_KEEP_ALL,
  },
  'a segment that goes on where the next one begins': {
    damage: async (vfs) => {
      await vfs.remove(POINT);
      await appendBytes(vfs, pathOf(4), (await fileBytes(vfs, pathOf(8))).subarray(0, positionOf(8, 9)));
    },
    wrong: () => [
      [pathOf(4), positionOf(4, 8)],
      [POINT, 0],
    ],
    ...BOTH_KEEP_ALL,
  },
  'a segment that begins within another one': {
    damage: async (vfs) => putFile(vfs, pathOf(6), Buffer.from('no segment')),
    wrong: () => [[pathOf(6), 0]],
    ...BOTH_KEEP_ALL,
  },
  'temporary files': {
    damage: async (vfs) => {
      await putFile(vfs, `${LOG_DIRECTORY}/spare.tmp`, Buffer.alloc(100));
      await putFile(vfs, `${POINT}.tmp`, Buffer.from('half'));
    },
    wrong: () => [
      [`${POINT}.tmp`, 0],
      [`${LOG_DIRECTORY}/spare.tmp`, 0],
    ],
    ...BOTH_KEEP_ALL,
  },
};

async function repairOn(vfs: Vfs, mode: RepairMode, dryRun: boolean): Promise<RepairReport> {
  const watching = createFaultVfs(vfs, []);
  watched.push(watching);
  return await repair(DATABASE, { mode, dryRun, runtime, vfs: watching });
}

async function openOn(vfs: Vfs): Promise<{ database: Database; log: Log }> {
  const watching = createFaultVfs(vfs, []);
  watched.push(watching);
  const database = await open(DATABASE, { vfs: watching, runtime });
  opened.push(database);
  return { database, log: await database.log('events', LOG_OPTIONS) };
}

/** Every byte of a segment is still in the log, or where the report says. */
function expectNothingLost(
  before: Map<string, Buffer>,
  after: Map<string, Buffer>,
  { actions }: RepairReport['logs'][string],
): void {
  for (const { kind, file, position = 0, bytes, to } of actions) {
    if (kind === 'removed' || kind === 'rebuilt' || kind === 'noted' || kind === 'created') continue;
    const whole = before.get(file) ?? Buffer.alloc(0);
    const taken = whole.subarray(position, bytes === undefined ? undefined : position + bytes);
    if (to === undefined) expect(taken.every((byte) => byte === 0)).toBe(true);
    else expect(after.get(to)).toEqual(taken);
    if (kind === 'cutOff') expect(after.get(file)).toEqual(whole.subarray(0, position));
    else if (!file.endsWith('recovery-point')) expect(after.has(file)).toBe(false);
  }
  const touched = new Set(actions.map(({ kind, file }) => (kind === 'noted' ? '' : file)));
  for (const [path, bytes] of before) {
    if (path.endsWith('.log') && !touched.has(path)) expect(after.get(path)).toEqual(bytes);
  }
}

/** The log has what it should, says of the rest what became of it, and there is nothing wrong with it. */
async function expectKept(log: Log, { keeps, lost = [] }: Outcome, mode: RepairMode): Promise<void> {
  const records = await readRecords(log);
  const read = records.filter(({ value }) => value?.toString() !== 'new');
  expect(read.map(({ offset, timestamp, value }) => [offset, timestamp, value?.toString()])).toEqual(
    keeps.map((i) => [i, 1000 + i, valueOf(i)]),
  );
  for (const i of keeps) expect((await log.get(i)).value?.toString()).toBe(valueOf(i));
  const there = new Set(records.map(({ offset }) => offset));
  const gone = range(log.firstOffset, log.nextOffset).filter((i) => !there.has(i));
  for (const i of gone) {
    const [first, last] = lost.find(([from, to]) => i >= from && i <= to) ?? [];
    expect(await failure(log.get(i))).toMatchObject({ code: 'CORRUPT', offsets: { first, last } });
  }
  expect(log.info()).toMatchObject({ records: records.length, lostRecords: gone.length });
  const noted = mode === 'pointInTime' ? [] : lost.filter(([first]) => first >= log.firstOffset);
  expect(log.recovery.gaps.map(({ firstOffset, lastOffset }) => [firstOffset, lastOffset])).toEqual(noted);
  expect(log.recovery.damage).toEqual([]);
}

const RUNS = Object.entries(CASES).flatMap(([name, one]) =>
  (one.states ?? (['stopped', 'closed'] as const)).flatMap((state) =>
    REPAIR_MODES.map((mode) => ({ name, one, state, mode })),
  ),
);

describe('a repair', () => {
  test.each(RUNS)('of $name ($state, $mode)', async ({ one, state, mode }) => {
    const vfs = await copyDatabase(disks[state]);
    await one.damage(vfs);
    const outcome = one[mode];
    const { keeps, lost = [], next = RECORDS, first = keeps[0] ?? next } = outcome;
    const before = await tree(vfs, DATABASE);

    const dry = await repairOn(vfs, mode, true);
    expect(differences(before, await tree(vfs, DATABASE))).toEqual([]);
    const report = await repairOn(vfs, mode, false);
    expect(report).toEqual(dry);
    const after = await tree(vfs, DATABASE);
    const log = report.logs['events-0'] as RepairReport['logs'][string];
    expect(log.problems.map(({ file, position, offsets }) => [file, position, offsets])).toEqual(
      one
        .wrong()
        .map(([file, position, offsets]) => [
          file,
          position,
          offsets && { first: offsets[0], last: offsets[1] },
        ]),
    );
    expect(log.lost).toEqual(lost.map(([first, last]) => ({ first, last })));
    expect(log.lostRecords).toBe(lost.reduce((sum, [first, last]) => sum + last - first + 1, 0));
    expect(log).toMatchObject({ firstOffset: first, nextOffset: next });
    expect(report).toMatchObject({ isClean: false, lostRecords: log.lostRecords, problems: [], actions: [] });
    expectNothingLost(before, after, log);

    const again = await repairOn(vfs, mode, false);
    expect(again).toMatchObject({ isClean: true, lostRecords: 0 });
    expect(again.logs['events-0']).toMatchObject({ problems: [], actions: [], lost: [] });
    expect(differences(after, await tree(vfs, DATABASE))).toEqual([]);

    const { database, log: kept } = await openOn(vfs);
    const verified = await database.verify({ deep: true });
    expect(verified).toMatchObject({ isClean: true, problems: [], lostRecords: 0, strangers: [] });
    expect(verified.logs['events-0']).toMatchObject({ problems: [], unfinished: [], records: keeps.length });
    expect(verified.logs['events-0']?.files).toMatchObject({ temporaries: [], orphans: [], strangers: [] });
    expect(kept.recovery).toMatchObject({ tornTails: 0, quarantined: [] });
    await expectKept(kept, outcome, mode);

    // It lives on, and a crash is no harm.
    expect(await kept.append({ value: 'new' })).toBe(next);
    await expectKept((await openOn(await copyDatabase(vfs))).log, outcome, mode);
  });
});
