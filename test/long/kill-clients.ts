/**
 * The clients of a process that is going to be killed: each uses the log in one of the ways that there
 * are, and reports a record when, and only when, its promise has resolved.
 *
 * @module
 */

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { isVarveError } from '../../src/errors.ts';
import type { Log } from '../../src/log/log.ts';
import type { Random } from '../kit/random.ts';
import { type Content, type Contents, frame, hashOf } from './contents.ts';
import type { Acknowledged, ClientKind } from './kill-plan.ts';

/** What a client works with. */
export interface Work {
  log: Log;
  client: number;
  contents: Contents;
  random: Random;
  /** Asks for one more record; false when there have been enough. */
  take: () => boolean;
  acknowledge: (acknowledged: Acknowledged) => void;
}

/** What every promise that a client waits for gives at least, so that the record survives a kill. */
const LEVELS = ['written', 'synced'] as const;

function acknowledge(work: Work, sequence: number, offset: number, content: Content): void {
  work.acknowledge({ client: work.client, sequence, offset, hash: hashOf(content) });
}

/** A moment in which nothing is appended, now and then. */
async function pause({ random }: Work): Promise<void> {
  if (random.chance(0.03)) await sleep(random.int(1, 15));
  else if (random.chance(0.2)) await turn();
}

async function appendOne(work: Work, sequence: number): Promise<void> {
  const { log, contents, client, random } = work;
  const content = contents.record(client, sequence);
  const options = random.chance(0.3) ? { durability: random.pick(LEVELS) } : undefined;
  acknowledge(work, sequence, await log.append(content, options), content);
}

async function append(work: Work): Promise<void> {
  for (let sequence = 0; work.take(); sequence++) {
    await appendOne(work, sequence);
    await pause(work);
  }
}

async function pipeline(work: Work): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  const depth = work.random.int(2, 200);
  for (let sequence = 0; work.take(); sequence++) {
    const appending = appendOne(work, sequence).then(() => void inFlight.delete(appending));
    inFlight.add(appending);
    if (inFlight.size >= depth) await Promise.race(inFlight);
    await pause(work);
  }
  await Promise.all(inFlight);
}

/** The next contents of a client, up to `count`. */
function takeMany({ contents, client, take }: Work, first: number, count: number): Content[] {
  const taken: Content[] = [];
  while (taken.length < count && take()) taken.push(contents.record(client, first + taken.length));
  return taken;
}

async function many(work: Work): Promise<void> {
  for (let sequence = 0; ; ) {
    const part = takeMany(work, sequence, work.random.int(1, 100));
    if (part.length === 0) return;
    const { firstOffset, lastOffset } = await work.log.appendMany(part, {
      durability: work.random.pick(LEVELS),
    });
    if (lastOffset - firstOffset !== part.length - 1)
      throw new Error(`${firstOffset} to ${lastOffset}: not ${part.length}`);
    for (const [i, content] of part.entries()) acknowledge(work, sequence + i, firstOffset + i, content);
    sequence += part.length;
    await pause(work);
  }
}

async function enqueue(work: Work): Promise<void> {
  const { log, random } = work;
  for (let sequence = 0; ; ) {
    const part = takeMany(work, sequence, random.int(1, 300));
    if (part.length === 0) return;
    const offsets: number[] = [];
    for (const content of part) {
      for (;;) {
        try {
          offsets.push(log.enqueue(content));
          break;
        } catch (error) {
          if (!isVarveError(error, 'BACKPRESSURE')) throw error;
          await log.ready();
        }
      }
    }
    await log.reached(offsets.at(-1) as number, random.pick(LEVELS));
    for (const [i, content] of part.entries()) acknowledge(work, sequence + i, offsets[i] as number, content);
    sequence += part.length;
    await pause(work);
  }
}

/** Appends batches that it has framed itself. */
async function framed(work: Work): Promise<void> {
  for (let sequence = 0; ; ) {
    const part = takeMany(work, sequence, work.random.int(1, 20));
    if (part.length === 0) return;
    const { firstOffset } = await work.log.appendBatches(frame(part));
    for (const [i, content] of part.entries()) acknowledge(work, sequence + i, firstOffset + i, content);
    sequence += part.length;
    await pause(work);
  }
}

/** Reads along with those who write, and checks what it gets. */
async function follow({ log, contents, random }: Work): Promise<void> {
  let offset = random.int(log.firstOffset, log.durable.written);
  for await (const record of log.read({ fromOffset: offset, follow: true })) {
    contents.originOf(record);
    if (record.offset !== offset) throw new Error(`read offset ${record.offset} where ${offset} comes next`);
    offset++;
  }
}

/** Reads here and there, and checks what it gets. */
async function get({ log, contents, random }: Work): Promise<void> {
  for (;;) {
    const { firstOffset } = log;
    const { synced } = log.durable;
    if (synced > firstOffset) {
      const offset = random.int(firstOffset, synced - 1);
      const record = await log.get(offset);
      contents.originOf(record);
      if (record.offset !== offset) throw new Error(`got offset ${record.offset} for ${offset}`);
    }
    await sleep(random.int(0, 3));
  }
}

export const CLIENTS: Record<ClientKind, (work: Work) => Promise<void>> = {
  append,
  pipeline,
  many,
  enqueue,
  framed,
  follow,
  get,
};
