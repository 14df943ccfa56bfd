/** A store against a model that is a sorted array, with flushes, merges and restarts between, and time going on. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventInput } from '../../src/events/input.ts';
import { LEVEL_NAMES } from '../../src/levels.ts';
import { jsonOf, openEvents } from '../kit/events.ts';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const DAY = 86_400_000;
const START = 1_700_000_000_000;

const entry: fc.Arbitrary<EventInput> = fc.record(
  {
    timestamp: fc.oneof(
      fc.integer({ min: START - 20, max: START + 5 }),
      fc.integer({ min: START - 4 * DAY, max: START }),
      fc.bigInt({ min: BigInt(START) * 1_000_000n, max: BigInt(START) * 1_000_000n + 9n }),
    ),
    level: fc.constantFrom(...LEVEL_NAMES),
    message: fc.oneof(fc.constantFrom('a', 'b a', 'ü'), fc.string({ unit: 'binary', maxLength: 40 })),
    component: fc.constantFrom('db', 'db.pool', 'http'),
    version: fc.constantFrom('1', '2'),
    metadata: fc.dictionary(fc.string({ maxLength: 3 }), fc.integer(), { maxKeys: 2 }),
  },
  { requiredKeys: ['message'] },
);

type Step =
  | { do: 'write'; entries: EventInput[] }
  | { do: 'flush' | 'compact' | 'reopen' | 'retain' }
  | { do: 'wait'; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      entries: fc.array(entry, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('flush' as const, 'compact', 'reopen', 'retain') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: DAY }) }),
  },
);

const filter = fc.record(
  {
    from: fc.integer({ min: START - 3 * DAY, max: START + 6 }),
    to: fc.integer({ min: START - DAY, max: START + 6 }),
    level: fc.constantFrom('WARN', '=INFO', '=DEBUG,FATAL'),
    component: fc.constantFrom('db', 'db*', '*o*'),
    contains: fc.constantFrom('a', 'ü'),
    reverse: fc.boolean(),
  },
  { requiredKeys: [] },
);

type Said = Record<string, unknown> & {
  timestamp: number;
  nanoseconds?: number;
  level: string;
  message: string;
  component?: string;
};

function wanted(
  said: Said,
  { level, component, contains, from, to }: typeof filter extends fc.Arbitrary<infer T> ? T : never,
): boolean {
  const code = LEVEL_NAMES.indexOf(said.level as 'INFO');
  const levels = { WARN: code >= 5, '=INFO': code === 3, '=DEBUG,FATAL': code === 2 || code === 7 };
  const name = said.component;
  const components = {
    db: name === 'db',
    'db*': name?.startsWith('db') === true,
    '*o*': name?.includes('o') === true,
  };
  return (
    (level === undefined || levels[level]) &&
    (component === undefined || components[component]) &&
    (contains === undefined || said.message.includes(contains)) &&
    (from === undefined || said.timestamp >= from) &&
    (to === undefined || said.timestamp < to)
  );
}

test('says what a sorted array says, whatever is done', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 14 }),
      fc.array(filter, { minLength: 1, maxLength: 4 }),
      async (steps, filters) => {
        const disk = await kit.disk();
        let open = await kit.open(disk);
        let events = await openEvents(open);
        let model: Said[] = [];
        let retained = Number.POSITIVE_INFINITY;
        for (const one of steps) {
          if (one.do === 'write') {
            await events.writeMany(one.entries);
            model.push(...one.entries.map((input) => jsonOf(input, kit.clock.now()) as Said));
          } else if (one.do === 'wait') await kit.clock.advance(one.ms);
          else if (one.do === 'flush') await events.flush();
          else if (one.do === 'compact') await events.compact();
          else if (one.do === 'retain') {
            retained = 2 * DAY;
            await events.retain({ ageMs: retained, levels: { FATAL: { ageMs: 3 * DAY } } });
          } else {
            await open.trees.close();
            open = await kit.open(disk);
            events = await openEvents(open);
            await events.recover();
          }
          const nowMs = kit.clock.now();
          // What is hidden once never comes back.
          model = model.filter(({ timestamp, level }) => {
            const age =
              retained === Number.POSITIVE_INFINITY ? retained : level === 'FATAL' ? 3 * DAY : retained;
            return timestamp >= nowMs - age;
          });
        }
        const key = ({ timestamp, nanoseconds = 0 }: Said): number =>
          (timestamp - START) * 1_000_000 + nanoseconds;
        const sorted = model
          .map((said, i) => ({ said, i }))
          .sort((a, b) => key(a.said) - key(b.said) || a.i - b.i);
        for (const asked of [{}, ...filters]) {
          const expected = sorted.map(({ said }) => said).filter((said) => wanted(said, asked));
          if ('reverse' in asked && asked.reverse === true) expected.reverse();
          expect([...events.readSync(asked)].map((read) => read.toJSON())).toEqual(expected);
          const { reverse: _, ...counted } = asked as { reverse?: boolean };
          expect(await events.count(counted)).toBe(expected.length);
        }
        await open.trees.close();
      },
    ),
    { numRuns: 25, seed: 20260711 },
  );
});
