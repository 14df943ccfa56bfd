import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Log } from '../../src/log/log.ts';
import { Memory } from '../../src/memory/memory.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';

it('takes a record without a byte as the first one', async () => {
  const memory = Memory.create(16 * 1024 * 1024);
  const vfs = createMemoryVfs();
  await vfs.mkdir('/log');
  const log = await Log.open({
    name: 'a',
    directory: '/log',
    memory,
    vfs,
    clock: systemClock,
    readOnly: false,
  });
  expect(await log.append({ value: '' })).toBe(0);
  expect(await log.append({})).toBe(1);
  const values = [];
  for await (const { value } of log.read()) values.push(value?.toString());
  expect(values).toEqual(['', undefined]);
  await log.close();
  expect(memory.slabs.inUse()).toEqual([]);
});
