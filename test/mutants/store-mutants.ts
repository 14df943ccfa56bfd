/**
 * Ways to break trees and the stores on them, each with the campaign, or the test, that must notice.
 *
 * @module
 */

import type { Mutant } from './mutant.ts';

export const STORE_MUTANTS: readonly Mutant[] = [
  {
    name: 'a table counts before it is synced',
    caughtBy: 'tree-crash',
    changes: [
      { file: 'src/lsm/table/output-bytes.ts', from: '      await this.#file.datasync();\n', to: '' },
    ],
  },
  {
    name: 'a table counts before its name is durable',
    caughtBy: 'tree-crash',
    changes: [
      {
        file: 'src/lsm/compaction/output.ts',
        from: '    if (this.files.length > 0) await this.#context.vfs.syncDir(this.#args.directory);\n',
        to: '',
      },
    ],
  },
  {
    name: 'a table has what the write-ahead log may still lose',
    caughtBy: 'tree-crash',
    changes: [
      { file: 'src/lsm/flush.ts', from: '  await settle(trees, memtable);\n', to: '  void settle;\n' },
    ],
  },
  {
    name: 'the write-ahead log is cut behind memtables that no table has yet',
    caughtBy: 'tree-crash',
    changes: [
      {
        file: 'src/lsm/tree-core.ts',
        from: '    for (const memtable of this.frozen) if (!memtable.isEmpty) return memtable.firstSequence;\n    return this.active.isEmpty ? Infinity : this.active.firstSequence;\n',
        to: '    return Infinity;\n',
      },
    ],
  },
  {
    name: 'the write-ahead log is cut while it is being read',
    caughtBy: 'test/lsm/found-by-campaigns.test.ts',
    changes: [
      {
        file: 'src/lsm/trees.ts',
        from: '    if (!this.#isReplayed) return;\n',
        to: '    if (!this.#isReplayed && this.isClosed) return;\n',
      },
    ],
  },
  {
    name: 'the manifest says first that tables are gone, and then which took their place',
    caughtBy: 'tree-crash',
    changes: [
      {
        file: 'src/lsm/compact.ts',
        from: '    await manifest.publish(edit);\n    isPublished = true;\n',
        to: '    await manifest.publish({ remove: edit.remove ?? [] });\n    await manifest.publish({ add: edit.add ?? [] });\n    isPublished = true;\n',
      },
    ],
  },
  {
    name: 'tables go before the manifest says so',
    caughtBy: 'tree-fault',
    changes: [
      {
        file: 'src/lsm/compact.ts',
        from: '    await manifest.publish(edit);\n    isPublished = true;\n',
        to: '    for (const number of inputs) (before.get(number) as Table).isObsolete = true;\n    await manifest.publish(edit);\n    isPublished = true;\n',
      },
    ],
  },
  {
    name: 'deletions are forgotten though older tables have what they delete',
    caughtBy: 'tree-simulation',
    changes: [
      { file: 'src/lsm/compact.ts', from: '    bottom: choice.isBottom,\n', to: '    bottom: true,\n' },
    ],
  },
  {
    name: 'a merge drops what a snapshot sees',
    caughtBy: 'test/lsm/compaction.test.ts',
    changes: [
      {
        file: 'src/lsm/compact.ts',
        from: '    snapshots: trees.snapshots.list(),\n    bottom',
        to: '    snapshots: [],\n    bottom',
      },
    ],
  },
  {
    name: 'a filter says of keys that they are not there, and they are',
    caughtBy: 'tree-simulation',
    changes: [
      {
        file: 'assembly/bloom.ts',
        from: '  const line = lineOf(filter, lines, hash);\n  let bits = hash * GOLDEN;\n  for (let i = 0; i < FILTER_PROBES; i++) {\n    if (((',
        to: '  const line = lineOf(filter, lines, hash);\n  let bits = hash * (GOLDEN + 2);\n  for (let i = 0; i < FILTER_PROBES; i++) {\n    if (((',
      },
    ],
  },
  {
    name: 'a range that a batch deletes keeps what the same batch has put there before',
    caughtBy: 'tree-simulation',
    changes: [
      {
        file: 'assembly/memtable.ts',
        from: 'if (lastSequenceBefore == sequence) deleteEarlier(',
        to: 'if (lastSequenceBefore > sequence) deleteEarlier(',
      },
    ],
  },
  {
    name: 'a write asks for its number, and not for its own record',
    caughtBy: 'test/lsm/found-by-campaigns.test.ts',
    changes: [
      {
        file: 'src/lsm/writer.ts',
        from: 'await wal.reached(sequence, level ?? this.#ownLevel, generation);',
        to: 'await wal.reached(sequence, level ?? this.#ownLevel, generation < 0 ? 0 : undefined);',
      },
    ],
  },
  {
    name: 'the checksum of a block is not looked at',
    caughtBy: 'tree-rot',
    changes: [
      {
        file: 'assembly/block-build.ts',
        from: '!= crc32c(address, bytes + 1, 0)) return -1;\n  return load<u8>',
        to: '== 0x7fffffff) return -1;\n  return load<u8>',
      },
    ],
  },
  {
    name: 'tables that the manifest does not name are left where they are',
    caughtBy: 'tree-crash',
    changes: [
      {
        file: 'src/lsm/trees.ts',
        from: '      await this.tables.removeOrphans(folder, numbers);\n',
        to: '',
      },
    ],
  },
  {
    name: 'a key is told to have expired before the time of that is durable',
    caughtBy: 'tree-crash',
    changes: [
      {
        file: 'src/kv/store-clock.ts',
        from: '    return expiryMs <= this.#persistedMs;\n',
        to: '    return expiryMs <= Math.max(this.#persistedMs, this.now());\n',
      },
    ],
  },
  {
    name: 'the clock of a store goes back with that of the machine',
    caughtBy: 'tree-crash',
    changes: [
      {
        file: 'src/kv/store-clock.ts',
        from: '    this.#baseMs = Math.max(markMs, wallMs);\n',
        to: '    this.#baseMs = wallMs;\n',
      },
    ],
  },
  {
    name: 'what has expired is hidden a second too late',
    caughtBy: 'tree-simulation',
    changes: [
      {
        file: 'src/kv/core.ts',
        from: '    if (expiryMs === 0 || expiryMs > this.clock.now()) return true;\n',
        to: '    if (expiryMs === 0 || expiryMs + 1000 > this.clock.now()) return true;\n',
      },
    ],
  },
  {
    name: 'a store of entries gives out arrivals again after it was opened anew',
    caughtBy: 'tree-simulation',
    changes: [
      {
        file: 'src/events/state.ts',
        from: '  return { opened: opened as number,',
        to: '  return { opened: 0 * (opened as number),',
      },
    ],
  },
  {
    name: 'the checksum of what a repair has noted is not looked at',
    caughtBy: 'rot',
    changes: [
      {
        file: 'src/log/gaps.ts',
        from: 'if (data.getUint32(0) !== MAGIC || data.getUint32(CRC_POSITION) !== checksum(memory, bytes))',
        to: 'if (data.getUint32(0) !== MAGIC || checksum(memory, bytes) < 0)',
      },
    ],
  },
  {
    name: 'a digest is read, and compared with nothing',
    caughtBy: 'test/log/digest.test.ts',
    changes: [
      {
        file: 'src/log/digest-check.ts',
        from: 'if (found !== undefined && Buffer.compare(found, noted.digest) === 0) return undefined;',
        to: 'if (found !== undefined && found.length === noted.digest.length) return undefined;',
      },
    ],
  },
];
