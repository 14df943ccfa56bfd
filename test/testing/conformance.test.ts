import { setImmediate } from 'node:timers/promises';
import { CrashVfs } from '../../src/testing/crash.ts';
import { createFaultVfs } from '../../src/testing/fault.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import type { VfsUnderTest } from '../kit/vfs-bench.ts';
import { vfsSuite } from '../suites/vfs.ts';

async function prepared(vfs: Vfs): Promise<VfsUnderTest> {
  await vfs.mkdir('/data');
  return { vfs, root: '/data', dispose: () => Promise.resolve() };
}

vfsSuite('the crash file system', () => prepared(new CrashVfs()));

vfsSuite('a machine that woke up after a crash', async () => {
  const before = new CrashVfs();
  await before.mkdir('/data');
  await before.syncDir('/');
  return prepared(before.crash({ choices: [] }));
});

vfsSuite('the fault file system without faults', () => prepared(createFaultVfs(createMemoryVfs(), [])));

vfsSuite('the fault file system when all is late', () =>
  prepared(createFaultVfs(createMemoryVfs(), [{ delay: () => setImmediate() }])),
);
