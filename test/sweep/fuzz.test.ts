/** A little of everything that can be fed to the decoders; `npm run test:long -- --campaign fuzz` feeds more. */

import { describe, expect, test } from 'vitest';
import { CODECS_HERE } from '../kit/codecs.ts';
import { createRandom } from '../kit/random.ts';
import { fuzzBatches, fuzzIndexes, fuzzLog, fuzzMetadata } from '../long/fuzz.ts';
import { createCompressedSite, createSite } from '../long/rot-site.ts';

const SEED = 1;
const COUNTS = { decoded: 3000, scanned: 300, searched: 2000, metadata: 300, logs: 60, compressed: 12 };

describe('what nobody has written', () => {
  test('is decoded by WebAssembly as by plain JavaScript', () => {
    expect(() => fuzzBatches(SEED, COUNTS)).not.toThrow();
  });

  test('ends a binary search within its index', () => {
    expect(() => fuzzIndexes(SEED, COUNTS)).not.toThrow();
  });

  test('is no checkpoint and no list of gaps', async () => {
    const { stage } = await createSite(SEED, true);
    expect(() => fuzzMetadata(stage.runtime.memory, SEED, COUNTS)).not.toThrow();
  });

  test('opens, or is refused, though its checksums are right', async () => {
    const site = await createSite(SEED, true);
    const random = createRandom(SEED);
    let count = 0;
    for (; count < COUNTS.logs; count++) await fuzzLog(site, random);
    expect(count).toBe(COUNTS.logs);
  });

  test.each(CODECS_HERE.map((one) => [`${one.name}${one.note}`, one] as const))(
    'opens, or is refused, though it expands to something else or claims to be 4 GiB (%s)',
    async (_, { name, codec }) => {
      if (codec === undefined) return;
      const site = await createCompressedSite(name);
      expect(site.batches.length).toBeGreaterThan(5);
      const random = createRandom(SEED);
      for (let i = 0; i < COUNTS.compressed; i++) await fuzzLog(site, random);
    },
  );
});
