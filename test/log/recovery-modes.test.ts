/**
 * What each recovery mode does about each kind of damage: a table. The log has one batch a record:
 *
 *     segment 0: offsets 0-3    4: 4-7    8: 8-11    12 (active): 12-14
 *
 * @module
 */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import { RECOVERY_MODES, type RecoveryMode } from '../../src/log/options.ts';
import type { SyncPolicy } from '../../src/log/sync-policy.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { settle } from '../kit/clock.ts';
import {
  copyDisk,
  DIRECTORY,
  damageFile,
  differences,
  failure,
  failureCode,
  fileBytes,
  putFile,
  range,
  readOffsets,
  resizeFile,
  segmentPath,
  tree,
  useLogKit,
} from '../kit/log-kit.ts';

const kit = useLogKit();
const VALUE_BYTES = 900;
const OPTIONS = { segmentBytes: 4096, indexIntervalBytes: 1024 };
const CHECKPOINT = `${DIRECTORY}/recovery-point`;

/** The disk of a machine that stopped while the log was open. */
async function stopped(mode: SyncPolicy['mode'] = 'always', records = 15): Promise<Vfs> {
  const disk = await kit.disk();
  const log = await kit.open(disk, { ...OPTIONS, sync: { mode } });
  for (const i of range(0, records)) await log.append({ value: valueOf(i), timestamp: 1000 + i });
  await settle();
  const copy = await copyDisk(disk.inner);
  await log.close();
  return copy;
}

function valueOf(offset: number): string {
  return `${offset}`.padEnd(VALUE_BYTES, '.');
}

/** Where a batch lies in its segment's file. */
async function placeOf(vfs: Vfs, base: number, offset: number): Promise<{ start: number; end: number }> {
  const bytes = await fileBytes(vfs, segmentPath(base));
  for (let start = 0; start < bytes.length; ) {
    const end = start + 12 + bytes.readInt32BE(start + 8);
    if (bytes.readBigInt64BE(start) === BigInt(offset)) return { start, end };
    start = end;
  }
  throw new Error(`segment ${base} has no batch ${offset}`);
}

type Outcome =
  | { refuses: [first: number, last: number] }
  /** Opens, with these offsets readable and those reported as lost. */
  | { keeps: number[]; lost?: [first: number, last: number][] };

interface Case {
  policy?: SyncPolicy['mode'];
  damage: (vfs: Vfs) => Promise<void>;
  tolerateCorruptedTail: Outcome;
  absoluteConsistency: Outcome;
  pointInTime: Outcome;
  skipAnyCorrupted: Outcome;
}

const ALL = range(0, 15);
const without = (first: number, last: number): number[] => ALL.filter((i) => i < first || i > last);

async function damageBatch(vfs: Vfs, base: number, offset: number, at = 200): Promise<void> {
  await damageFile(vfs, segmentPath(base), (await placeOf(vfs, base, offset)).start + at);
}

async function cutBatch(vfs: Vfs, base: number, offset: number, at: number): Promise<void> {
  await resizeFile(vfs, segmentPath(base), (await placeOf(vfs, base, offset)).start + at);
}

async function removeSegment(vfs: Vfs, base: number): Promise<void> {
  for (const kind of ['log', 'index', 'timeindex'] as const) await vfs.remove(segmentPath(base, kind));
}

/** All modes but the strictest agree about what a crash leaves. */
function tornAt(offset: number): Omit<Case, 'damage'> {
  const kept: Outcome = { keeps: range(0, offset) };
  return {
    tolerateCorruptedTail: kept,
    absoluteConsistency: { refuses: [offset, offset - 1] },
    pointInTime: kept,
    skipAnyCorrupted: kept,
  };
}

/** Damage to what had been synced, within what is read on opening. */
function damagedAt(first: number, last: number): Omit<Case, 'damage'> {
  return {
    tolerateCorruptedTail: { refuses: [first, last] },
    absoluteConsistency: { refuses: [first, last] },
    pointInTime: { keeps: range(0, first), lost: [[first, last]] },
    skipAnyCorrupted: { keeps: without(first, last), lost: [[first, last]] },
  };
}

const CASES: Record<string, Case> = {
  'no damage': {
    damage: async () => {},
    tolerateCorruptedTail: { keeps: ALL },
    absoluteConsistency: { keeps: ALL },
    pointInTime: { keeps: ALL },
    skipAnyCorrupted: { keeps: ALL },
  },
  'a torn last batch': { damage: (vfs) => cutBatch(vfs, 12, 14, 300), ...tornAt(14) },
  'a torn last header': { damage: (vfs) => cutBatch(vfs, 12, 14, 12), ...tornAt(14) },
  'a last batch with a wrong byte': { damage: (vfs) => damageBatch(vfs, 12, 14), ...tornAt(14) },
  'zeros behind the last batch': {
    damage: (vfs) => resizeFile(vfs, segmentPath(12), 100_000),
    tolerateCorruptedTail: { keeps: ALL },
    absoluteConsistency: { keeps: ALL },
    pointInTime: { keeps: ALL },
    skipAnyCorrupted: { keeps: ALL },
  },
  'a hole in what was not synced, with whole batches behind it': {
    policy: 'never',
    damage: (vfs) => damageBatch(vfs, 12, 12),
    ...tornAt(12),
    absoluteConsistency: { refuses: [12, 12] },
  },
  'a wrong byte in what was synced': { damage: (vfs) => damageBatch(vfs, 12, 12), ...damagedAt(12, 12) },
  'two wrong batches in what was synced': {
    damage: async (vfs) => {
      await damageBatch(vfs, 12, 12);
      await damageBatch(vfs, 12, 13, 20);
    },
    // Nothing behind batch 12 says that batch 13 was synced, or that anything was: batch 14 does.
    ...damagedAt(12, 13),
  },
  'a wrong byte in a sealed segment': {
    damage: (vfs) => damageBatch(vfs, 4, 5),
    ...damagedAt(5, 5),
    // It is not read on opening.
    tolerateCorruptedTail: { keeps: without(5, 5) },
  },
  'a wrong byte in the last batch of a sealed segment': {
    damage: (vfs) => damageBatch(vfs, 4, 7),
    ...damagedAt(7, 7),
    tolerateCorruptedTail: { keeps: without(7, 7) },
  },
  'a wrong byte at the end of a sealed segment that no recovery point knows': {
    damage: async (vfs) => {
      await vfs.remove(CHECKPOINT);
      await damageBatch(vfs, 4, 7);
    },
    ...damagedAt(7, 7),
  },
  'a batch with a wrong base offset': {
    damage: async (vfs) => damageFile(vfs, segmentPath(12), (await placeOf(vfs, 12, 12)).start + 7, 12 ^ 40),
    ...damagedAt(12, 12),
  },
  'a missing segment': { damage: (vfs) => removeSegment(vfs, 4), ...damagedAt(4, 7) },
  'a missing segment that no recovery point knows': {
    damage: async (vfs) => {
      await vfs.remove(CHECKPOINT);
      await removeSegment(vfs, 4);
    },
    ...damagedAt(4, 7),
  },
  'a sealed segment without its last batches': {
    damage: (vfs) => cutBatch(vfs, 4, 6, 0),
    ...damagedAt(6, 7),
  },
  'a sealed segment that ends within a batch': {
    damage: (vfs) => cutBatch(vfs, 4, 6, 100),
    ...damagedAt(6, 7),
  },
  'an empty sealed segment': { damage: (vfs) => cutBatch(vfs, 4, 4, 0), ...damagedAt(4, 7) },
  'a sealed segment that ends early, which no recovery point knows': {
    damage: async (vfs) => {
      await vfs.remove(CHECKPOINT);
      await cutBatch(vfs, 4, 6, 0);
    },
    ...damagedAt(6, 7),
  },
  'segments that a crash left with a gap between them': {
    policy: 'never',
    damage: async (vfs) => {
      // Only what the seal of the first segment synced is sure to be there.
      await vfs.remove(CHECKPOINT);
      await cutBatch(vfs, 8, 10, 0);
    },
    ...tornAt(10),
    absoluteConsistency: { refuses: [10, 11] },
  },
  'bytes that a failed write left behind a sealed segment': {
    damage: async (vfs) => {
      await vfs.remove(CHECKPOINT);
      const bytes = await fileBytes(vfs, segmentPath(4));
      await putFile(vfs, segmentPath(4), Buffer.concat([bytes, Buffer.from('left behind')]));
    },
    tolerateCorruptedTail: { keeps: ALL },
    absoluteConsistency: { refuses: [8, 7] },
    pointInTime: { keeps: ALL },
    skipAnyCorrupted: { keeps: ALL },
  },
  'space that was made ahead behind a sealed segment': {
    damage: async (vfs) => {
      await vfs.remove(CHECKPOINT);
      await resizeFile(vfs, segmentPath(4), 50_000);
    },
    tolerateCorruptedTail: { keeps: ALL },
    absoluteConsistency: { keeps: ALL },
    pointInTime: { keeps: ALL },
    skipAnyCorrupted: { keeps: ALL },
  },
};

async function expectKept(log: Log, outcome: { keeps: number[]; lost?: [number, number][] }): Promise<void> {
  const { keeps, lost = [] } = outcome;
  expect(log.recovery.damage.map((one) => [one.firstOffset, one.lastOffset])).toEqual(lost);
  for (const i of keeps) expect((await log.get(i)).value?.toString()).toBe(valueOf(i));
  for (const i of range(0, log.nextOffset).filter((offset) => !keeps.includes(offset))) {
    const error = await failure(log.get(i));
    expect(error.code).toBe('CORRUPT');
    expect(error.offsets?.first).toBeLessThanOrEqual(i);
    expect(error.offsets?.last).toBeGreaterThanOrEqual(i);
  }
  if (log.recovery.damage.length > 0 || keeps.length === log.nextOffset) {
    expect(await readOffsets(log)).toEqual(keeps);
  }
}

describe.each(Object.entries(CASES))('%s', (_, one) => {
  test.each(RECOVERY_MODES)('under %s', async (mode) => {
    const vfs = await stopped(one.policy);
    await one.damage(vfs);
    const outcome = one[mode];
    const before = await tree(vfs);

    const beside = kit.wrap(vfs);
    const opening = kit.open(beside, { ...OPTIONS, recovery: mode }, { readOnly: true });
    if ('refuses' in outcome) expect(await failureCode(opening)).toBe('CORRUPT');
    else await expectKept(await opening, outcome);
    expect(differences(before, await tree(vfs))).toEqual([]);

    const disk = kit.wrap(vfs);
    if ('refuses' in outcome) {
      const error = await failure(kit.open(disk, { ...OPTIONS, recovery: mode }));
      const [first, last] = outcome.refuses;
      expect(error).toMatchObject({ code: 'CORRUPT', offsets: { first, last } });
      expect(differences(before, await tree(vfs))).toEqual([]);
      return;
    }
    const log = await kit.open(disk, { ...OPTIONS, recovery: mode });
    await expectKept(log, outcome);
    await expectNothingThrownAway(before, vfs);

    // Opened again without having been closed, it finds the same and changes nothing.
    const recovered = await copyDisk(vfs);
    const again = await kit.open(kit.wrap(recovered), { ...OPTIONS, recovery: mode });
    const isCut = mode !== 'skipAnyCorrupted';
    await expectKept(again, isCut ? { keeps: outcome.keeps } : outcome);
    expect(again.recovery.quarantined).toEqual([]);
    expect(differences(await tree(vfs), await tree(recovered))).toEqual([]);

    // It takes appends, with the next offset.
    const next = log.nextOffset;
    expect(await log.append({ value: 'new' })).toBe(next);
    expect((await log.get(next)).value?.toString()).toBe('new');
    await log.close();
  });
});

/** Every byte of a segment is still there: in the segment, or in quarantine where the report says. */
async function expectNothingThrownAway(before: Map<string, Buffer>, vfs: Vfs): Promise<void> {
  const after = await tree(vfs);
  const prefix = `${DIRECTORY}/quarantine/`;
  for (const [path, bytes] of before) {
    if (!path.endsWith('.log')) continue;
    const left = after.get(path) ?? Buffer.alloc(0);
    const name = path.slice(DIRECTORY.length + 1);
    const aside = [...after].filter(([other]) => other.startsWith(`${prefix}${name}.`));
    let end = left.length;
    for (const [other, part] of aside) {
      expect(Number(other.slice(prefix.length + name.length + 1))).toBe(end);
      expect(part.equals(bytes.subarray(end, end + part.length))).toBe(true);
      end += part.length;
    }
    expect(left.equals(bytes.subarray(0, left.length))).toBe(true);
    expect(bytes.subarray(end).every((byte) => byte === 0)).toBe(true);
  }
}

describe('a last batch that is cut off', () => {
  test('at any byte costs that batch and nothing else', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    for (const i of range(0, 3)) await log.append({ key: `k${i}`, value: `value ${i}` });
    const bytes = await fileBytes(disk.inner, segmentPath(0));
    const image = await copyDisk(disk.inner);
    const { start, end } = await placeOf(image, 0, 2);
    // The first bytes of an offset are zeros, as space that was made ahead is.
    for (let cut = start + 8; cut < end; cut++) {
      const vfs = await copyDisk(image);
      await resizeFile(vfs, segmentPath(0), cut);
      const again = await kit.open(kit.wrap(vfs));
      expect(again.nextOffset).toBe(2);
      expect(again.recovery.tornTails).toBe(1);
      const [aside, ...others] = again.recovery.quarantined;
      expect(others).toEqual([]);
      expect(aside).toMatchObject({ from: segmentPath(0), position: start, bytes: cut - start });
      expect(await fileBytes(vfs, aside?.file ?? '')).toEqual(bytes.subarray(start, cut));
      expect(await fileBytes(vfs, segmentPath(0))).toEqual(bytes.subarray(0, start));
      expect(await readOffsets(again)).toEqual([0, 1]);
      await again.close();
    }
  });

  test('twice at the same place leaves both in quarantine', async () => {
    const vfs = await stopped();
    const expected: Buffer[] = [];
    for (const at of [300, 400]) {
      const { start } = await placeOf(vfs, 12, 14);
      expected.push((await fileBytes(vfs, segmentPath(12))).subarray(start, start + at));
      await cutBatch(vfs, 12, 14, at);
      const log = await kit.open(kit.wrap(vfs), OPTIONS);
      await log.append({ value: valueOf(14) });
      await log.close();
      await vfs.remove(CHECKPOINT);
    }
    const aside = [...(await tree(vfs, `${DIRECTORY}/quarantine`)).values()];
    expect(aside).toEqual(expected);
  });
});

test.each<RecoveryMode>(['pointInTime', 'skipAnyCorrupted'])(
  'what the last segment lost at its end is counted to the last offset that was known (%s)',
  async (recovery) => {
    const disk = await kit.disk();
    const log = await kit.open(disk, OPTIONS);
    for (const i of range(0, 15)) await log.append({ value: valueOf(i) });
    await log.close();
    await damageBatch(disk.inner, 12, 13);
    await damageBatch(disk.inner, 12, 14);
    const error = await failure(kit.open(disk, { ...OPTIONS, recovery: 'absoluteConsistency' }));
    expect(error).toMatchObject({ code: 'CORRUPT', file: segmentPath(12), offsets: { first: 13, last: 14 } });
    expect(error.position).toBe((await placeOf(disk.inner, 12, 13)).start);
    const again = await kit.open(disk, { ...OPTIONS, recovery });
    expect(again.recovery.damage).toMatchObject([{ firstOffset: 13, lastOffset: 14 }]);
    expect(await readOffsets(again)).toEqual(range(0, 13));
  },
);
