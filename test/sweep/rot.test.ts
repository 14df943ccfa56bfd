/** Some of the changes that a disk can make by itself; `npm run test:long -- --campaign rot` makes them all. */

import { describe, expect, test } from 'vitest';
import { RECOVERY_MODES } from '../../src/log/options.ts';
import { createRandom } from '../kit/random.ts';
import { type Outcome, rot } from '../long/rot.ts';
import { changesOf, changesOfFile, describeChange, drawSmash, straddlesOf } from '../long/rot-changes.ts';
import { createRepairedSite, rotRepaired } from '../long/rot-repaired.ts';
import { createSite } from '../long/rot-site.ts';
import { reasonOf } from '../long/rounds.ts';

const SEED = 1;
/** In the default mode, of so many changes one is made; in the others, of four times as many. */
const EVERY = 17;

const cases = RECOVERY_MODES.flatMap((mode) => [true, false].map((isClosed) => ({ mode, isClosed })));

describe('a database that rots', () => {
  test.each(cases)('says so or does not mind ($mode, closed: $isClosed)', async ({ mode, isClosed }) => {
    const site = await createSite(SEED, isClosed);
    const random = createRandom(SEED);
    const every = mode === 'tolerateCorruptedTail' ? EVERY : 4 * EVERY;
    const changes = [...changesOf(site, () => [random.int(0, 7)])].filter(
      ({ kind }, i) => kind === 'delete' || i % every === 0,
    );
    changes.push(...[...straddlesOf(site)].filter((_, i) => i % (every - 1) === 0));
    for (let i = 0; i < 40; i++) changes.push(drawSmash(site, random));
    const failures: string[] = [];
    const outcomes = new Set<Outcome>();
    for (const change of changes) {
      try {
        outcomes.add(await rot(site, change, mode));
      } catch (error) {
        failures.push(`${describeChange(change)}: ${reasonOf(error)}`);
      }
    }
    expect(failures.join('\n')).toBe('');
    expect([...outcomes]).toEqual(expect.arrayContaining(['harmless', 'refused']));
  });

  test.each(cases)('knows of its gaps or says so ($mode, closed: $isClosed)', async ({ mode, isClosed }) => {
    const site = await createRepairedSite(SEED, isClosed);
    const refuses = mode === 'absoluteConsistency';
    expect(await rotRepaired(site, undefined, mode)).toBe(refuses ? 'refused' : 'harmless');
    const failures: string[] = [];
    // In one mode each byte; every change of the file is noticed, since its checksum covers all of it.
    const every = mode === 'tolerateCorruptedTail' ? 8 : 61;
    const changes = [...changesOfFile(site, site.gapsFile)].filter(
      ({ kind }, i) => kind === 'delete' || (kind === 'flip' ? i % (every + 1) === 1 : i % every === 0),
    );
    for (const change of changes) {
      try {
        expect(await rotRepaired(site, change, mode)).not.toBe('harmless');
      } catch (error) {
        failures.push(`${describeChange(change)}: ${reasonOf(error)}`);
      }
    }
    expect(failures.join('\n')).toBe('');
  });
});
