/** One thing after the other: the same as of a generator. */

import { expect, test } from 'vitest';
import { EachOf } from '../../src/logfile/each-of.ts';

const told: string[] = [];

async function* batches(): AsyncGenerator<number[], void, undefined> {
  try {
    yield [1, 2];
    yield [];
    await Promise.resolve();
    yield [3];
  } finally {
    told.push('ended');
  }
}

async function* failing(): AsyncGenerator<number[], void, undefined> {
  yield [1, 2];
  throw new Error('no more');
}

test('all of it comes in order, also to who does not wait, and then there is no more', async () => {
  const found: number[] = [];
  for await (const number of new EachOf(batches())) found.push(number);
  expect(found).toEqual([1, 2, 3]);
  const each = new EachOf(batches());
  const asked = Array.from({ length: 6 }, () => each.next());
  const values = (await Promise.all(asked)).map(({ done, value }) => (done === true ? 'done' : value));
  expect(values).toEqual([1, 2, 3, 'done', 'done', 'done']);
});

test('who stops early ends what it came from, and what is left is not handed out', async () => {
  told.length = 0;
  const each = new EachOf(batches());
  for await (const number of each) if (number === 1) break;
  expect(told).toEqual(['ended']);
  expect(await each.next()).toEqual({ done: true, value: undefined });
  const other = new EachOf(batches());
  await other.next();
  await expect(other.throw(new Error('enough'))).rejects.toThrow('enough');
  expect(await other.next()).toEqual({ done: true, value: undefined });
  expect(told).toEqual(['ended', 'ended']);
});

test('a failure comes behind what came before it, once', async () => {
  const each = new EachOf(failing());
  const asked = await Promise.allSettled([each.next(), each.next(), each.next(), each.next()]);
  expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(await each.next()).toEqual({ done: true, value: undefined });
});
