/** What the campaigns over stores of log entries have found, each as a small test of its own. */

import { describe, expect, test } from 'vitest';
import { openEvents, readAllEvents } from '../kit/events.ts';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();

const messagesOf = (entries: unknown[]): string[] =>
  entries.map((entry) => (entry as { message: string }).message);

describe('a store of log entries', () => {
  test('gives out no arrival again that only a journal knew of', async () => {
    const disk = await kit.disk();
    // Only the journal takes what is handed over: the write-ahead log does not.
    const first = await kit.open(disk);
    const events = await openEvents(first);
    disk.rules.push({ operation: 'write', path: /wal/, error: 'EIO' });
    const handover = await events.handover();
    for (let i = 0; i < 3; i++) handover.take([{ timestamp: 1000, message: `first ${i}` }]);
    await handover.close().catch(() => undefined);
    await first.trees.close().catch(() => undefined);
    disk.rules.length = 0;
    // It is taken from there, and nothing else happens.
    const second = await kit.open(disk);
    const recovered = await openEvents(second);
    await recovered.recover();
    expect(messagesOf(readAllEvents(recovered))).toEqual(['first 0', 'first 1', 'first 2']);
    await second.trees.close();
    // What comes later takes the place of none, and comes behind.
    const third = await kit.open(disk);
    const again = await openEvents(third);
    await again.recover();
    for (let i = 0; i < 3; i++) await again.write({ timestamp: 1000, message: `later ${i}` });
    expect(messagesOf(readAllEvents(again))).toEqual([
      'first 0',
      'first 1',
      'first 2',
      'later 0',
      'later 1',
      'later 2',
    ]);
    await third.trees.close();
  });

  test('whose journal cannot close a file closes the other', async () => {
    const disk = await kit.disk();
    const open = await kit.open(disk);
    const events = await openEvents(open);
    const handover = await events.handover();
    handover.take([{ timestamp: 1000, message: 'one' }]);
    await handover.flush();
    disk.rules.push({ operation: 'close', path: /journal-0/, error: 'EIO' });
    expect(disk.vfs.trace.filter(({ op, path }) => op === 'close' && /journal/.test(path))).toEqual([]);
    await handover.close().catch(() => undefined);
    const closed = disk.vfs.trace.filter(({ op, path }) => op === 'close' && /journal/.test(path));
    expect(closed.map(({ path }) => path.slice(-1)).sort()).toEqual(['0', '1']);
    await open.trees.close();
  });
});
