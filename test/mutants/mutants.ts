/**
 * Ways to break the engine, each a mistake that somebody has made in a store that was trusted, and the
 * campaign that must notice.
 *
 * @module
 */

import type { Mutant } from './mutant.ts';
import { STORE_MUTANTS } from './store-mutants.ts';

const LOG_MUTANTS: readonly Mutant[] = [
  {
    name: 'a new segment counts before its directory is synced',
    caughtBy: 'crash',
    changes: [
      {
        file: 'src/log/segments.ts',
        from: '      await this.#guard(() => vfs.syncDir(directory));\n',
        to: '',
      },
    ],
  },
  {
    name: 'an append is acknowledged before fdatasync',
    caughtBy: 'crash',
    changes: [
      {
        file: 'src/log/writer.ts',
        from: '    group.written.resolve();\n    if (this.#syncsEachWrite)',
        to: '    group.written.resolve();\n    group.synced.resolve();\n    if (this.#syncsEachWrite)',
      },
    ],
  },
  {
    name: 'a failed fdatasync is tried again',
    caughtBy: 'fault',
    changes: [
      {
        file: 'src/log/syncer.ts',
        from: '      await file.datasync();\n',
        to: '      await file.datasync().catch(() => file.datasync());\n',
      },
    ],
  },
  {
    name: 'an index file is believed whatever it holds',
    caughtBy: 'rot',
    changes: [
      {
        file: 'src/log/segment.ts',
        from: 'if (index.offsetCrc() === state.offsetCrc && index.timeCrc() === state.timeCrc) return index;',
        to: 'if (index.offsetCount >= 0) return index;',
      },
    ],
  },
  {
    name: 'a torn tail is not cut off',
    caughtBy: 'crash',
    changes: [{ file: 'src/log/quarantine.ts', from: '  await file.truncate(position);\n', to: '' }],
  },
  {
    name: 'damage in the middle is cut off like a torn tail',
    caughtBy: 'rot',
    changes: [
      {
        file: 'src/log/segment-scan.ts',
        from: 'const isDamaged = wasKnown || search.syncedPosition > position;',
        to: 'const isDamaged = wasKnown && search.syncedPosition < 0;',
      },
    ],
  },
  {
    name: 'the checksum of a batch is not looked at',
    caughtBy: 'rot',
    changes: [
      {
        file: 'assembly/batch-scan.ts',
        from: 'return load32(at + BATCH_CRC) == crc32c(at + BATCH_ATTRIBUTES, size - BATCH_ATTRIBUTES, 0);',
        to: 'return crc32c(at + BATCH_ATTRIBUTES, size - BATCH_ATTRIBUTES, 0) != 1;',
      },
    ],
  },
  {
    name: 'the offsets of a failed group are given out again, those of its written part included',
    caughtBy: 'fault',
    changes: [
      {
        file: 'src/log/writer.ts',
        from: 'const behind = this.#intake.giveUp(this.written.offset);',
        to: 'const behind = this.#intake.giveUp(group.firstOffset);',
      },
    ],
  },
  {
    name: 'segments are removed before the recovery point says so',
    caughtBy: 'crash',
    changes: [
      {
        file: 'src/log/segments.ts',
        from: '      await this.checkpoint(false);\n    } catch (error) {',
        to: '      for (const segment of dropped) await segment.drop();\n      await this.checkpoint(false);\n    } catch (error) {',
      },
    ],
  },
  {
    name: 'recovery does not sync what it accepts',
    caughtBy: 'crash',
    changes: [{ file: 'src/log/recovery.ts', from: '    if (!readOnly) await file.datasync();\n', to: '' }],
  },
  {
    name: 'readers see what is not synced yet',
    caughtBy: 'simulation',
    changes: [
      {
        file: 'src/log/core.ts',
        from: 'return this.isOwnLevelSynced ? this.syncer.synced.offset : this.#writer.written.offset;',
        to: 'return this.#writer.written.offset;',
      },
      {
        file: 'src/log/core.ts',
        from: 'return this.#writer !== undefined && this.isOwnLevelSynced ? segment.syncedPosition : segment.bytes;',
        to: 'return segment.bytes;',
      },
    ],
  },
  {
    name: 'a segment that was closed once is taken as it was then',
    caughtBy: 'crash',
    changes: [
      {
        file: 'src/log/recovery.ts',
        from: 'if (bytes !== state.bytes && (isActive || bytes < state.bytes)) return false;',
        to: 'if (bytes < state.bytes) return false;',
      },
    ],
  },
  {
    name: 'a read believes the base offset that it begins with',
    caughtBy: 'rot',
    changes: [
      {
        file: 'src/log/reader.ts',
        from: 'if (this.#entryOffset !== undefined && position > 0) {',
        to: 'if (this.#entryOffset !== undefined && position < 0) {',
      },
    ],
  },
  {
    name: 'a batch says that what is being written is synced',
    caughtBy: 'crash',
    changes: [
      {
        file: 'src/log/group-writer.ts',
        from: 'patchBatch(memory.data, address, baseOffset, segment.syncedPosition);',
        to: 'patchBatch(memory.data, address, baseOffset, segment.bytes);',
      },
    ],
  },
  {
    name: 'a segment is sealed without being synced',
    caughtBy: 'crash',
    changes: [
      {
        file: 'src/log/segments.ts',
        from: '    await syncWritten(segment);\n',
        to: '    void syncWritten;\n',
      },
    ],
  },
  {
    name: 'a failed write keeps its memory',
    caughtBy: 'fault',
    changes: [
      {
        file: 'src/log/writer.ts',
        from: 'error, isKnown);\n    group.release();\n',
        to: 'error, isKnown);\n',
      },
    ],
  },
  {
    name: 'a rebuilt index is not what was written',
    caughtBy: 'fault',
    changes: [
      {
        file: 'src/log/recovery.ts',
        from: '      segment.index?.seal();\n',
        to: '',
      },
    ],
  },
  {
    name: 'a record that was lost counts as the one that has its offset now',
    caughtBy: 'fault',
    changes: [{ file: 'src/log/log.ts', from: '    writer.losses.check(offset, generation);\n', to: '' }],
  },
  {
    name: 'a base offset behind damage is believed',
    caughtBy: 'rot',
    changes: [
      {
        file: 'src/log/behind.ts',
        from: 'const hasOffset = count > 1 || isNamed || offset === this.#next;',
        to: 'const hasOffset = count > 0;',
      },
      {
        file: 'src/log/behind.ts',
        from: '    const { isPlaced, hasOffset } = await this.#evidence(run);\n',
        to: '    const { hasOffset } = await this.#evidence(run);\n    const isPlaced = true;\n',
      },
    ],
  },
];

export const MUTANTS: readonly Mutant[] = [...LOG_MUTANTS, ...STORE_MUTANTS];
