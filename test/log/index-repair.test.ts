import { expect, test } from 'vitest';
import type { LogOptions } from '../../src/log/options.ts';
import { DIRECTORY, damageFile, fileBytes, range, readOffsets, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();
const OPTIONS: LogOptions = {
  segmentBytes: 4096,
  batchBytes: 64,
  indexIntervalBytes: 256,
  sync: { mode: 'never' },
};
const FIRST = `${DIRECTORY}/00000000000000000000`;

test('index files that are missing or damaged are there again once they were needed', async () => {
  const disk = await kit.disk();
  const log = await kit.open(disk, OPTIONS);
  await log.appendMany(range(0, 600).map((i) => ({ value: `value ${i}`, timestamp: i })));
  await log.close();
  const before = [
    await fileBytes(disk.inner, `${FIRST}.index`),
    await fileBytes(disk.inner, `${FIRST}.timeindex`),
  ];

  await damageFile(disk.inner, `${FIRST}.index`, 5);
  await disk.inner.remove(`${FIRST}.timeindex`);
  const again = await kit.open(disk, OPTIONS);
  expect(await readOffsets(again, { fromOffset: 20, limit: 3 })).toEqual([20, 21, 22]);
  await again.close();
  const after = [
    await fileBytes(disk.inner, `${FIRST}.index`),
    await fileBytes(disk.inner, `${FIRST}.timeindex`),
  ];
  expect(after).toEqual(before);

  const last = await kit.open(disk, OPTIONS);
  expect((await last.verify()).problems).toEqual([]);
});

test('index files for which there was no room are made when the log is closed', async () => {
  const disk = await kit.disk([{ operation: 'write', path: /\.(?:time)?index$/, error: 'ENOSPC' }]);
  const log = await kit.open(disk, OPTIONS);
  await log.appendMany(range(0, 600).map((i) => ({ value: `value ${i}`, timestamp: i })));
  disk.rules.splice(0);
  await log.close();

  const again = await kit.open(disk, OPTIONS);
  expect(again.recovery.wasClean).toBe(true);
  expect(again.info().segments.length).toBeGreaterThan(2);
  expect((await again.verify()).problems).toEqual([]);
});
