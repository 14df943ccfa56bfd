/** What kafkajs, which shares no code with us, makes of batches that were written anew: compacted, and compressed. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { temporaryDirectory } from '../cli/command.ts';
import { CODECS_HERE } from '../kit/codecs.ts';
import { plugCodec, witness } from '../kit/kafkajs.ts';

test.each(CODECS_HERE.map((one) => [`${one.name}${one.note}`, one] as const))(
  'kafkajs reads segments that were compressed with %s when they were sealed',
  async (_, { name, codec }) => {
    if (codec === undefined || (await plugCodec(name)) === undefined) return;
    const directory = join(temporaryDirectory(), 'data');
    const database = await open(directory, { maintenance: false });
    const log = await database.log('lines', {
      compression: { codec: name, when: 'seal' },
      segmentBytes: 16_384,
      sync: { mode: 'never' },
    });
    const start = 1_700_000_000_000;
    const lines = Array.from(
      { length: 500 },
      (_line, i) => `line ${i} of a log that says nearly the same all the time`,
    );
    await log.appendMany(lines.map((value, i) => ({ key: `${i % 7}`, value, timestamp: start + i })));
    await log.roll();
    expect((await log.recompress()).compressedSegments).toBeGreaterThan(0);
    await database.close();
    const folder = join(directory, 'logs', 'lines-0');
    let next = 0;
    for (const file of readdirSync(folder)
      .filter((one) => one.endsWith('.log'))
      .sort()) {
      for (const batch of await witness(readFileSync(join(folder, file)))) {
        expect(batch.storedCrc).toBe(batch.computedCrc);
        for (const { offset, timestamp, key, value } of batch.records) {
          expect([offset, timestamp]).toEqual([`${next}`, `${start + next}`]);
          expect([key?.toString(), value?.toString()]).toEqual([`${next % 7}`, lines[next]]);
          next++;
        }
      }
    }
    expect(next).toBe(500);
  },
);

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
