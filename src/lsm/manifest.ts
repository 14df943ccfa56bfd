/**
 * The manifest: a log of edits that says which tables make up each tree. A change of it is the moment at which
 * a flush or a compaction has happened. When the edits have grown long, one that says everything is appended,
 * and what lies before it is removed.
 *
 * Damage in it refuses to open: which tables are not needed any more is never concluded from what is missing.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { isVarveError } from '../errors.ts';
import { Log } from '../log/log.ts';
import type { LogVerifyReport, VerifyOptions } from '../log/verify.ts';
import type { Memory } from '../memory/memory.ts';
import type { Vfs } from '../vfs/vfs.ts';
import {
  applyEdit,
  brokenManifest,
  decodeEdit,
  type Edit,
  emptyState,
  encodeEdit,
  type ManifestState,
  snapshotOf,
} from './manifest-state.ts';

const KIB = 1024;
const SEGMENT_BYTES = 256 * KIB;
const BUFFER_BYTES = 64 * KIB;
const RECORD_BYTES_MAX = 16 * 1024 * KIB;
/** An edit has at most so much of the memory: it is held twice while it is written. */
const RECORD_SHARE = 1 / 32;
/** Edits are summed up when they have so many bytes, and several times those of the last summary. */
const SUMMARY_BYTES_MIN = 64 * KIB;
const SUMMARY_FACTOR = 4;

export interface ManifestParts {
  directory: string;
  memory: Memory;
  vfs: Vfs;
  clock: Clock;
  readOnly: boolean;
}

export class Manifest {
  /** What all edits so far say. */
  readonly state: ManifestState;
  readonly #log: Log;
  /** Bytes of edits since the last summary, and of that one. */
  #editBytes: number;
  #summaryBytes: number;
  #nextNumber = 1;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(log: Log, state: ManifestState, editBytes: number, summaryBytes: number) {
    this.#log = log;
    this.state = state;
    this.#editBytes = editBytes;
    this.#summaryBytes = summaryBytes;
  }

  /**
   * Opens the manifest in a directory that exists, and reads it.
   *
   * @throws VarveError `CORRUPT` where it is damaged, `VERSION`, `IO`, `NO_MEMORY`
   */
  static async open(parts: ManifestParts): Promise<Manifest> {
    const share = parts.memory.slabs.budgetBytes * RECORD_SHARE;
    const log = await Log.open(
      { name: 'manifest', ...parts },
      {
        segmentBytes: SEGMENT_BYTES,
        bufferBytes: BUFFER_BYTES,
        maxRecordBytes: Math.min(RECORD_BYTES_MAX, Math.floor(share)),
      },
    );
    try {
      return await Manifest.#read(log);
    } catch (error) {
      await log.close().catch(() => undefined);
      throw error;
    }
  }

  static async #read(log: Log): Promise<Manifest> {
    let state = emptyState();
    let summaryBytes = 0;
    let editBytes = 0;
    let isComplete = log.firstOffset === 0;
    for await (const { offset, value } of log.read()) {
      const { edit, isSnapshot } = decodeEdit(value, offset);
      if (isSnapshot) {
        state = emptyState();
        isComplete = true;
        summaryBytes = value?.length ?? 0;
        editBytes = 0;
      } else {
        editBytes += value?.length ?? 0;
      }
      // Before the first summary behind what was removed, there is nothing that an edit could be about.
      if (isComplete) applyEdit(state, edit, offset);
    }
    if (!isComplete) throw brokenManifest(log.firstOffset, 'what it is about was removed');
    return new Manifest(log, state, editBytes, summaryBytes);
  }

  /**
   * Publishes an edit: when it resolves, the edit is durable and part of the state. Edits follow each other in
   * the order of the calls.
   *
   * @throws VarveError `NO_SPACE`, `IO`: nothing has changed; `POISONED`: whether it is part of the manifest is
   * not known before it is opened again
   */
  publish(edit: Edit): Promise<void> {
    const publishing = this.#last.then(() => this.#publish(edit));
    this.#last = publishing.catch(() => undefined);
    return publishing;
  }

  /** Does something while nothing is published. */
  alone(work: () => Promise<void>): Promise<void> {
    const working = this.#last.then(work);
    this.#last = working.catch(() => undefined);
    return working;
  }

  /**
   * Numbers for tables: so many from the one that is returned on. They are used by nobody else as long as this is
   * open; those of tables that did not come to be are given out again after that.
   */
  takeNumbers(count: number): number {
    const first = Math.max(this.#nextNumber, this.state.next);
    this.#nextNumber = first + count;
    return first;
  }

  /** Reads and checks every byte of it. */
  verify(options: VerifyOptions): Promise<LogVerifyReport> {
    return this.#log.verify(options);
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#log.close();
  }

  async #publish(edit: Edit): Promise<void> {
    const bytes = encodeEdit(edit);
    const offset = await this.#log.append({ value: bytes }, { durability: 'synced' });
    applyEdit(this.state, edit, offset);
    this.#editBytes += bytes.length;
    if (this.#editBytes > Math.max(SUMMARY_BYTES_MIN, SUMMARY_FACTOR * this.#summaryBytes)) {
      await this.#sumUp().catch((error: unknown) => {
        // The edit is durable. What cannot be summed up now will be with one of the next.
        if (!isVarveError(error)) throw error;
      });
    }
  }

  async #sumUp(): Promise<void> {
    const bytes = encodeEdit(snapshotOf(this.state), true);
    if (bytes.length > this.#log.maxRecordBytes) return;
    const offset = await this.#log.append({ value: bytes }, { durability: 'synced' });
    this.#summaryBytes = bytes.length;
    this.#editBytes = 0;
    await this.#log.truncateBefore(offset);
  }
}
