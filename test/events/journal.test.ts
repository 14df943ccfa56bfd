/** The journal of a store: what a process had handed over when it died is there, and damage to it is told. */

import { describe, expect, test } from 'vitest';
import { EventEncoder } from '../../src/events/encoder.ts';
import type { Events } from '../../src/events/events.ts';
import type { Handover } from '../../src/events/handover.ts';
import { JOURNAL_HEAD_BYTES, Journal } from '../../src/events/journal.ts';
import { journalOperations } from '../../src/events/journal-recovery.ts';
import { type JournalSurvey, scanJournals } from '../../src/events/journal-scan.ts';
import { CrashVfs } from '../../src/testing/crash.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { settle } from '../kit/clock.ts';
import { readAll } from '../kit/disk-states.ts';
import { openEvents } from '../kit/events.ts';
import { putFile } from '../kit/log-kit.ts';
import { DATABASE, useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const DIRECTORY = `${DATABASE}/trees/events.app`;
const FIRST = `${DIRECTORY}/journal-0`;
const SECOND = `${DIRECTORY}/journal-1`;
const RECORD_BYTES_MAX = 1 << 20;

/** Writes records of an entry each, and leaves them there. @returns where each begins, and where the last ends */
async function writeJournal(vfs: Vfs, messages: readonly string[], tree = 1): Promise<number[]> {
  await vfs.mkdir(DIRECTORY);
  const journal = await Journal.create(vfs, kit.memory, DIRECTORY);
  const encoder = new EventEncoder(RECORD_BYTES_MAX);
  const places = [0];
  for (const [i, message] of messages.entries()) {
    encoder.clear();
    encoder.add(tree, { message }, 1000 + i, 256, i);
    journal.append(encoder.operations.buffer, 1, encoder.operations.length);
    places.push((places.at(-1) as number) + JOURNAL_HEAD_BYTES + encoder.operations.length - 1);
  }
  await journal.close();
  return places;
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `entry ${i}`);

async function scan(vfs: Vfs): Promise<JournalSurvey & { messages: string[] }> {
  const messages: string[] = [];
  const survey = await scanJournals(vfs, kit.memory, DIRECTORY, (bytes) => {
    const operations = journalOperations(bytes);
    for (const { second } of operations ?? []) messages.push(String(second?.subarray(3)));
    return operations !== undefined;
  });
  return { ...survey, messages };
}

/** The same journal with some bytes of its first file changed. */
async function changed(bytes: Uint8Array, change: (copy: Uint8Array) => Uint8Array): Promise<Vfs> {
  const vfs = createMemoryVfs();
  await vfs.mkdir(DIRECTORY);
  await putFile(vfs, FIRST, change(Uint8Array.from(bytes)));
  return vfs;
}

const messagesOf = (events: Events): string[] => [...events.readSync()].map(({ message }) => message);

describe('a journal that is damaged', () => {
  test('loses the record whose byte was changed, says so, and keeps all others', async () => {
    const disk = createMemoryVfs();
    const places = await writeJournal(disk, numbered(5));
    const bytes = await readAll(disk, FIRST);
    for (let at = 0; at < bytes.length; at++) {
      const mask = 1 << (at & 7);
      const vfs = await changed(bytes, (copy) => copy.with(at, (copy[at] as number) ^ mask));
      const { messages, damage, torn } = await scan(vfs);
      const hit = places.findLastIndex((place) => place <= at);
      expect(messages).toEqual(numbered(5).filter((_, i) => i !== hit));
      const part = {
        file: FIRST,
        position: places[hit],
        bytes: (places[hit + 1] as number) - (places[hit] as number),
      };
      // The last may have been being written.
      if (hit === 4) expect([damage, torn]).toMatchObject([[], part]);
      else expect([damage, torn]).toEqual([[{ ...part, records: hit === 0 ? undefined : 1 }], undefined]);
    }
  });

  test('ends with the last whole record where it is cut off, and that is no damage', async () => {
    const disk = createMemoryVfs();
    const places = await writeJournal(disk, numbered(4));
    const bytes = await readAll(disk, FIRST);
    for (let length = 0; length <= bytes.length; length += 3) {
      const { messages, damage, torn } = await scan(await changed(bytes, (copy) => copy.subarray(0, length)));
      const whole = places.filter((place) => place <= length).length - 1;
      expect(messages).toEqual(numbered(Math.max(0, whole)));
      expect(damage).toEqual([]);
      expect(torn?.position).toBe(places.includes(length) ? undefined : places[whole]);
    }
  });

  test('has what follows a stretch of zeros, and says how many records that cost', async () => {
    const disk = createMemoryVfs();
    const places = await writeJournal(
      disk,
      Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(100)),
    );
    const bytes = await readAll(disk, FIRST);
    const vfs = await changed(bytes, (copy) => copy.fill(0, 1024, 2048));
    const { messages, damage, torn } = await scan(vfs);
    const lost = places.filter((place, i) => (places[i + 1] ?? 0) > 1024 && place < 2048).length;
    expect(messages).toHaveLength(40 - lost);
    expect(messages.at(-1)?.trim()).toBe('39');
    expect([damage.map(({ records }) => records), torn]).toEqual([[lost], undefined]);
  });

  test('takes nothing for a record that lies inside of another', async () => {
    const inner = createMemoryVfs();
    await writeJournal(inner, numbered(3));
    const disk = createMemoryVfs();
    await disk.mkdir(DIRECTORY);
    const journal = await Journal.create(disk, kit.memory, DIRECTORY);
    const bytes = await readAll(inner, FIRST);
    for (let i = 0; i < 2; i++) journal.append(bytes, 0, bytes.length);
    await journal.close();
    const vfs = await changed(await readAll(disk, FIRST), (copy) => copy.with(5, 99));
    expect((await scan(vfs)).messages).toEqual([]);
  });

  test('tells damage at the end of the file that was full from a write that was torn', async () => {
    const disk = createMemoryVfs();
    const long = Array.from({ length: 30 }, (_, i) => `${i}`.padEnd(50_000));
    await writeJournal(disk, long);
    const [first, second] = [await readAll(disk, FIRST), await readAll(disk, SECOND)];
    expect(first.length).toBeGreaterThan(1 << 20);
    expect(second.length).toBeGreaterThan(0);
    await putFile(disk, FIRST, first.with(first.length - 1, 0));
    await putFile(disk, SECOND, second.subarray(0, -1));
    const { messages, damage, torn } = await scan(disk);
    expect(messages).toHaveLength(28);
    expect(damage).toMatchObject([{ file: FIRST, records: 1 }]);
    expect(torn).toMatchObject({ file: SECOND });
  });
});

describe('a store that is opened', () => {
  test('has what could be read of a journal, and keeps the file where there was damage', async () => {
    const disk = await kit.disk();
    await (await openEvents(await kit.open(disk))).write({ message: 'before', timestamp: 1 });
    await kit.end();
    const places = await writeJournal(disk.vfs, numbered(4), 77);
    const bytes = await readAll(disk.vfs, FIRST);
    const broken = bytes.with((places[1] as number) + 30, 0);
    await putFile(disk.vfs, FIRST, broken);
    const events = await openEvents(await kit.open(disk));
    await events.recover();
    expect(messagesOf(events)).toEqual(['before', 'entry 0', 'entry 2', 'entry 3']);
    const kept = `${DIRECTORY}/quarantine/journal-0`;
    expect(events.recovery).toMatchObject({
      entries: 3,
      damage: [{ file: FIRST, position: places[1], records: 1 }],
      torn: undefined,
      quarantined: [kept],
    });
    expect(await readAll(disk.vfs, kept)).toEqual(broken);
    await kit.end();
    const again = await openEvents(await kit.open(disk));
    await again.recover();
    expect(again.recovery).toMatchObject({ entries: 0, damage: [], quarantined: [] });
    expect(messagesOf(again)).toHaveLength(4);
  });

  test('leaves the journal as it is where that cannot be written to it', async () => {
    for (let at = 0; ; at += 2) {
      const disk = await kit.disk();
      await (await openEvents(await kit.open(disk))).write({ message: 'before', timestamp: 1 });
      await kit.end();
      const wrapped = kit.wrap(disk.inner);
      await writeJournal(disk.inner, numbered(5));
      const events = await openEvents(await kit.open(wrapped));
      let count = 0;
      wrapped.rules.push({ path: () => count++ === at, error: 'EIO' });
      const failure = await events.recover().catch((error: unknown) => error);
      wrapped.rules.length = 0;
      await kit.end();
      const again = await openEvents(await kit.open(kit.wrap(disk.inner)));
      await again.recover();
      expect(messagesOf(again)).toEqual(['before', ...numbered(5)]);
      await kit.end();
      if (failure === undefined && count <= at) break;
    }
  });
});

/** Hands entries over in turns, flushes now and then, and syncs once. */
async function live(vfs: Vfs, known: { taken: number; synced: number; handover?: Handover }): Promise<void> {
  const events = await openEvents(await kit.open({ vfs }, { sync: { mode: 'never' } }));
  const handover = await events.handover();
  known.handover = handover;
  for (let turn = 0; turn < 6; turn++) {
    const before = known.taken;
    const messages = Array.from({ length: 3 }, (_, i) => `entry ${before + i}`);
    handover.take(messages.map((message, i) => ({ message, timestamp: 1000 + before + i })));
    known.taken = before + 3;
    if (turn % 2 === 1) await settle(2);
    if (turn !== 3) continue;
    await handover.flush();
    await events.sync();
    known.synced = known.taken;
  }
}

test('what was handed over is there after a kill, and what was synced after a power cut, whenever that is', async () => {
  let cuts = 0;
  for (let at = 1; ; at += 2) {
    const machine = new CrashVfs({
      onOperation: (index) => {
        if (index >= at) throw new Error('power');
      },
    });
    await machine
      .mkdir(DATABASE)
      .then(() => machine.syncDir('/'))
      .catch(() => undefined);
    const known: { taken: number; synced: number; handover?: Handover } = { taken: 0, synced: 0 };
    await live(machine, known).catch(() => undefined);
    const isOver = !machine.stopped;
    const killed = machine.crash({ seed: 1, keep: 1 });
    await known.handover?.close().catch(() => undefined);
    for (const [plan, vfs] of [
      ['killed', killed],
      ...[...machine.enumerateCrashes(2)].map((plan) => [JSON.stringify(plan), machine.crash(plan)] as const),
    ] as const) {
      if ((await vfs.stat(DATABASE)) === undefined) continue;
      for (let round = 0; round < 2; round++) {
        const events = await openEvents(await kit.open({ vfs }));
        await events.recover();
        const found = messagesOf(events);
        const all = numbered(18);
        const why = `${plan}, power cut at operation ${at}, round ${round}`;
        expect({ why, found }).toEqual({ why, found: all.filter((message) => found.includes(message)) });
        expect({ why, found: found.slice(0, known.synced) }).toEqual({
          why,
          found: all.slice(0, known.synced),
        });
        if (plan === 'killed') {
          expect({ why, found: found.slice(0, known.taken) }).toEqual({
            why,
            found: all.slice(0, known.taken),
          });
          expect({ why, damage: events.recovery.damage }).toEqual({ why, damage: [] });
        }
        await kit.end();
      }
      cuts++;
    }
    await kit.end();
    if (isOver) break;
  }
  expect(cuts).toBeGreaterThan(40);
});
