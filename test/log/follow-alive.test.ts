/** Who waits for more of a log keeps the process alive, until it is told to stop. */

import { expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { createRuntime } from '../../src/runtime.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { settle } from '../kit/clock.ts';

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('a follower that waits keeps the process alive, and no longer', async () => {
  const runtime = createRuntime({ memoryBytes: 16 * 1024 * 1024, threads: 1 });
  const database = await open('/db', { vfs: createMemoryVfs(), runtime, maintenance: false });
  const log = await database.log('orders');
  await log.append({ value: 'first' });
  await settle();
  const before = timers();
  const stop = new AbortController();
  const records = log.read({ follow: true, signal: stop.signal });
  expect((await records.next()).value).toMatchObject({ offset: 0 });
  const next = records.next();
  next.catch(() => undefined);
  await settle();
  expect(timers()).toBe(before + 1);
  stop.abort();
  await expect(next).rejects.toThrow(/aborted/);
  expect(timers()).toBe(before);
  await database.close();
  await runtime.close();
});
