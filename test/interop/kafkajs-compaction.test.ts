/** What kafkajs, which shares no code with us, makes of the batches of a compacted log. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { temporaryDirectory } from '../cli/command.ts';
import { witness } from '../kit/kafkajs.ts';

test('kafkajs reads the batches of a compacted log: offsets, keys, values and times as they were', async () => {
  const directory = join(temporaryDirectory(), 'data');
  const database = await open(directory);
  const log = await database.log('states', {
    cleanup: 'compact',
    segmentBytes: 4096,
    batchBytes: 512,
    sync: { mode: 'never' },
  });
  const start = 1_700_000_000_000;
  await log.appendMany(
    Array.from({ length: 400 }, (_, i) => ({
      key: `key-${i % 40}`,
      // Some keys are deleted in the end.
      value: i >= 360 && i % 7 === 0 ? null : `value ${i}`.padEnd(30),
      timestamp: start + i * 10,
      headers: i % 3 === 0 ? [{ key: 'i', value: `${i}` }] : [],
    })),
  );
  await log.roll();
  await log.compact({ force: true });
  const expected: string[] = [];
  for await (const { offset, timestamp, key, value } of log.read())
    expected.push(`${offset} ${timestamp} ${key?.toString()} ${value?.toString()}`);
  expect(expected.length).toBe(40);
  await database.close();
  const folder = join(directory, 'logs', 'states-0');
  const found: string[] = [];
  let next = 0;
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith('.log'))
    .sort()) {
    for (const batch of await witness(readFileSync(join(folder, name)))) {
      expect(batch.storedCrc).toBe(batch.computedCrc);
      expect(batch.baseOffset).toBe(next);
      next = batch.lastOffset + 1;
      for (const { offset, timestamp, key, value } of batch.records)
        found.push(`${offset} ${timestamp} ${key?.toString()} ${value?.toString()}`);
    }
  }
  expect(found).toEqual(expected);
  expect(next).toBe(400);
});
