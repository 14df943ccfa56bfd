import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dsyncVfs, HAS_DSYNC } from '../../src/vfs/dsync.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { nodeVfs } from '../../src/vfs/node.ts';
import { vfsSuite } from '../suites/vfs.ts';

vfsSuite('node:fs', async () => {
  const root = await mkdtemp(join(tmpdir(), 'varve-vfs-'));
  return { vfs: nodeVfs, root, dispose: () => rm(root, { recursive: true, force: true }) };
});

if (HAS_DSYNC) {
  vfsSuite('node:fs with O_DSYNC', async () => {
    const root = await mkdtemp(join(tmpdir(), 'varve-vfs-'));
    return { vfs: dsyncVfs, root, dispose: () => rm(root, { recursive: true, force: true }) };
  });
}

vfsSuite('memory', async () => {
  const vfs = createMemoryVfs();
  await vfs.mkdir('/data');
  return { vfs, root: '/data', dispose: () => Promise.resolve() };
});
