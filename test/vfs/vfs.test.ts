import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { nodeVfs } from '../../src/vfs/node.ts';
import { vfsSuite } from '../suites/vfs.ts';

vfsSuite('node:fs', async () => {
  const root = await mkdtemp(join(tmpdir(), 'varve-vfs-'));
  return { vfs: nodeVfs, root, dispose: () => rm(root, { recursive: true, force: true }) };
});

vfsSuite('memory', async () => {
  const vfs = createMemoryVfs();
  await vfs.mkdir('/data');
  return { vfs, root: '/data', dispose: () => Promise.resolve() };
});
