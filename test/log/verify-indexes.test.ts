import { describe, expect, test } from 'vitest';
import { readCheckpoint, writeCheckpoint } from '../../src/log/checkpoint.ts';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { crc32cOf } from '../kit/batch-bytes.ts';
import {
  DIRECTORY,
  type Disk,
  damageFile,
  fileBytes,
  type LogKit,
  range,
  useLogKit,
} from '../kit/log-kit.ts';

const kit = useLogKit();
const OPTIONS: LogOptions = {
  segmentBytes: 4096,
  batchBytes: 64,
  indexIntervalBytes: 256,
  sync: { mode: 'never' },
};
const FIRST = `${DIRECTORY}/00000000000000000000`;

/** A closed log with several sealed segments, and a disk that holds it. */
async function makeLog(kitInUse: LogKit, options = OPTIONS): Promise<Disk> {
  const disk = await kitInUse.disk();
  const log = await kitInUse.open(disk, options);
  await log.appendMany(
    range(0, 600).map((i) => ({ value: `value ${i}`, timestamp: 1000 + ((i * 7) % 50) + i })),
  );
  await log.close();
  return disk;
}

async function problemsOf(log: Log): Promise<string[]> {
  const { problems } = await log.verify();
  return problems.map(({ file, position, offsets }) => {
    expect(offsets).toBe(undefined);
    return `${file}:${position}`;
  });
}

/** Changes a byte of an index file and makes the checkpoint agree. */
async function forge(disk: Disk, kind: 'index' | 'timeindex', position: number): Promise<void> {
  const { memory } = kit;
  const path = `${FIRST}.${kind}`;
  await damageFile(disk.inner, path, position, 1);
  const checkpoint = await readCheckpoint(memory, disk.inner, DIRECTORY);
  if (checkpoint === undefined) throw new Error('there is no checkpoint');
  const crc = crc32cOf(await fileBytes(disk.inner, path));
  const segments = checkpoint.segments.map((state, i) => {
    if (i > 0) return state;
    return kind === 'index' ? { ...state, offsetCrc: crc } : { ...state, timeCrc: crc };
  });
  await writeCheckpoint(memory, disk.inner, DIRECTORY, { ...checkpoint, segments });
}

describe('verify, of index files', () => {
  test('finds nothing wrong with those that were made with other options', async () => {
    const disk = await makeLog(kit);
    const log = await kit.open(disk, { ...OPTIONS, indexIntervalBytes: 4096 });
    expect(log.info().segments.length).toBeGreaterThan(2);
    expect(await problemsOf(log)).toEqual([]);
  });

  test('names one that was changed, or is gone', async () => {
    const disk = await makeLog(kit);
    await damageFile(disk.inner, `${FIRST}.index`, 9);
    await disk.inner.remove(`${FIRST}.timeindex`);
    const log = await kit.open(disk, OPTIONS);
    expect(await problemsOf(log)).toEqual([`${FIRST}.index:0`, `${FIRST}.timeindex:0`]);
  });

  test('names the entry that is not true, whatever the checksum says', async () => {
    for (const [kind, position, entry] of [
      ['index', 8 + 3, 8],
      ['index', 16 + 7, 16],
      ['timeindex', 7, 0],
      ['timeindex', 12 + 11, 12],
    ] as const) {
      const disk = await makeLog(kit);
      await forge(disk, kind, position);
      const log = await kit.open(disk, OPTIONS);
      expect(await problemsOf(log)).toEqual([`${FIRST}.${kind}:${entry}`]);
    }
  });

  test('says of a damaged log nothing but that', async () => {
    const disk = await makeLog(kit);
    await damageFile(disk.inner, `${FIRST}.log`, 1500);
    const log = await kit.open(disk, OPTIONS);
    const { problems } = await log.verify();
    expect(problems.map(({ file }) => file)).toEqual([`${FIRST}.log`]);
    expect(problems[0]?.offsets?.first).toBeGreaterThan(0);
  });
});
