/** Work in the background: whatever is asked for is done. */

import { expect, test } from 'vitest';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();

test('a flush that is asked for in the moment when another ends is done', async () => {
  const open = await kit.open(await kit.disk());
  const [one, two] = [await open.tree('one'), await open.tree('two')];
  for (let round = 1; round <= 10; round++) {
    await one.put(`key ${round}`, 'value');
    await two.put(`key ${round}`, 'value');
    await one.flush();
    for (let turns = round; turns > 0; turns--) await Promise.resolve();
    await two.flush();
  }
  expect([one, two].map((tree) => tree.stats().work.flushes)).toEqual([10, 10]);
});
