/** Rot of trees, at a few places of each file; `npm run test:long -- --campaign tree-rot` takes them all. */

import { expect, test } from 'vitest';
import { createRandom } from '../kit/random.ts';
import { createTreeSite, rotFiles, rotTree } from '../long/tree-rot.ts';

const PLACES = 4;

test('whatever byte of a tree is changed, it is told or harmless, and can be repaired', async () => {
  const site = await createTreeSite(1);
  try {
    const random = createRandom(6);
    const outcomes = { told: 0, harmless: 0 };
    const files = rotFiles(site);
    for (const path of [
      files[0],
      files.at(-1),
      ...files.filter((file) => file.endsWith('.log')),
    ] as string[]) {
      const { length } = site.files.get(path) as Buffer;
      for (let i = 0; i < PLACES; i++) {
        const outcome = await rotTree(site, path, random.int(0, length - 1), 1 << random.int(0, 7));
        if (outcome !== 'told' && outcome !== 'harmless') expect.fail(outcome);
        outcomes[outcome]++;
      }
    }
    expect(outcomes.told).toBeGreaterThan(PLACES);
    expect(site.runtime.memory.slabs.inUse()).toEqual([]);
  } finally {
    await site.runtime.close();
  }
});
