/**
 * Looks at a disk on which the machine has just woken up: opens it, and checks that what is there is what may
 * and must be there, and that recovery has done its work for good.
 *
 * @module
 */

import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { type Database, open } from '../../src/open.ts';
import type { CrashVfs } from '../../src/testing/crash.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { settle } from '../kit/clock.ts';
import { compareTrees, type FileTree, readTree, writeTree } from '../kit/trees.ts';
import type { Contents } from './contents.ts';
import { checkMemory, type Stage, until } from './laboratory.ts';
import type { Bounds, Found, Oracle } from './oracle.ts';
import { DIRECTORY, LOG_NAME, readFound } from './reads.ts';

export interface ExaminerOptions {
  stage: Stage;
  contents: Contents;
  oracle: Oracle;
  log: LogOptions;
  /** Whether the log had these options from the beginning, so that its indexes are what a rebuild makes. */
  hasOwnIndexes?: boolean;
}

/** What is made ahead and thrown away at any time. */
const SPARE = /\/spare\.tmp$/;
/** What can be made again, and so is never synced. */
const DERIVED = /\.(?:index|timeindex|tmp)$/;
const INDEX = /\.(?:index|timeindex)$/;
/** A record that no workload appends. */
const OWN_BYTES = 33;
/** Keeps nothing of what was not synced, and all of it. */
const NOTHING = { choices: [] };
const EVERYTHING = { seed: 1, keep: 1, sectorBytes: 512 };

/** The further questions, of which each disk is asked one, in turn. */
const QUESTIONS = ['power', 'kill', 'append', 'read only', 'close'] as const;

export class Examiner {
  readonly #options: ExaminerOptions;
  readonly #log: LogOptions;
  #turn: number;

  /** @param turn number of the question to begin with */
  constructor(options: ExaminerOptions, turn = 0) {
    this.#options = options;
    this.#turn = turn;
    // Retention would remove segments while they are looked at.
    this.#log = { ...options.log, retention: {} };
  }

  /**
   * Wakes up on a disk.
   *
   * @param isThorough whether to ask all questions, and not only one
   * @throws Error that says which promise was broken
   */
  async examine(vfs: CrashVfs, bounds: Bounds, isThorough = false): Promise<void> {
    await until(this.#options.stage, 'waking up', this.#examine(vfs, bounds, isThorough));
  }

  async #examine(vfs: CrashVfs, bounds: Bounds, isThorough: boolean): Promise<void> {
    const questions = isThorough ? QUESTIONS : [QUESTIONS[this.#turn++ % QUESTIONS.length]];
    if (questions.includes('read only')) await this.#readOnly(vfs, bounds);
    const found = await this.#with(vfs, async (_, log) => {
      const found = await this.#check(log, bounds);
      const files = await readTree(vfs, DIRECTORY);
      if (questions.includes('power')) await this.#again(vfs.preview(NOTHING), found, files, DERIVED);
      if (questions.includes('kill')) await this.#again(vfs.preview(EVERYTHING), found, files, SPARE);
      if (questions.includes('close')) await loadIndexes(log);
      return questions.includes('append') ? await this.#append(vfs, log, found) : found;
    });
    if (questions.includes('close')) await this.#closed(vfs, found);
    if (questions.includes('close') && this.#options.hasOwnIndexes === true) await this.#rebuilt(vfs);
    if (vfs.openFiles > 0) throw new Error(`${vfs.openFiles} files are still open`);
    checkMemory(this.#options.stage);
  }

  /** Looks at what was recovered. */
  async #check(log: Log, bounds: Bounds): Promise<Found> {
    const { oracle, contents } = this.#options;
    const found = await readFound(log, contents);
    oracle.check(found, bounds);
    const end = found.firstOffset + found.records.length;
    const { accepted, written, synced } = log.durable;
    for (const [name, offset] of Object.entries({ accepted, written, synced, next: log.nextOffset })) {
      if (offset !== end) throw new Error(`what can be read ends at ${end}, and ${name} says ${offset}`);
    }
    for (const offset of new Set([found.firstOffset, (found.firstOffset + end) >> 1, end - 1])) {
      if (end === found.firstOffset) break;
      const { sequence } = contents.originOf(await log.get(offset));
      const expected = found.records[offset - found.firstOffset]?.sequence;
      if (sequence !== expected)
        throw new Error(`get(${offset}) is record ${sequence}, and read says ${expected}`);
    }
    await this.#verify(log);
    return found;
  }

  /** What was recovered must be there for good: a machine that stops right now finds the same. */
  async #again(vfs: CrashVfs, found: Found, files: FileTree, ignored: RegExp): Promise<void> {
    const before = lasting(files, ignored);
    await this.#with(vfs, async (_, log) => {
      this.#same(await readFound(log, this.#options.contents), found, 'after a second recovery');
      const after = lasting(await readTree(vfs, DIRECTORY), ignored);
      // A log that has just been made gets its first one when it is recovered for the first time.
      for (const path of after.keys())
        if (path.endsWith('/recovery-point') && !before.has(path)) after.delete(path);
      const changes = compareTrees(before, after);
      if (changes.length > 0) throw new Error(`a second recovery changes: ${changes.join(', ')}`);
    });
  }

  /** What was recovered takes records, and keeps them. */
  async #append(vfs: CrashVfs, log: Log, found: Found): Promise<Found> {
    const { oracle, contents } = this.#options;
    const sequence = oracle.attempted;
    const end = found.firstOffset + found.records.length;
    const offset = await log.append(contents.record(OWN_BYTES, sequence), { durability: 'synced' });
    if (offset !== end) throw new Error(`it ends at ${end}, and the next record got offset ${offset}`);
    const more = { ...found, records: [...found.records, { bytes: OWN_BYTES, sequence }] };
    await this.#with(vfs.preview(NOTHING), async (_, again) => {
      this.#same(await readFound(again, contents), more, 'after an append and a second crash');
    });
    return more;
  }

  /** Who only reads sees the same, and changes nothing. */
  async #readOnly(vfs: CrashVfs, bounds: Bounds): Promise<void> {
    const before = await readTree(vfs, DIRECTORY);
    if (![...before.keys()].some((path) => path.endsWith('.log'))) return;
    const database = await open(DIRECTORY, { vfs, runtime: this.#options.stage.runtime, readOnly: true });
    try {
      const log = await database.log(LOG_NAME, this.#log);
      this.#options.oracle.check(await readFound(log, this.#options.contents), bounds);
    } finally {
      await database.close();
    }
    const changes = compareTrees(before, await readTree(vfs, DIRECTORY));
    if (changes.length > 0) throw new Error(`opening to read changes: ${changes.join(', ')}`);
  }

  /** A log that was closed is opened without looking at its segments. */
  async #closed(vfs: CrashVfs, found: Found): Promise<void> {
    for (const plan of [NOTHING, EVERYTHING]) {
      await this.#with(vfs.preview(plan), async (_, log) => {
        const { wasClean, scannedSegments } = log.recovery;
        if (!wasClean || scannedSegments > 0) throw new Error('a log that was closed is recovered');
        this.#same(await readFound(log, this.#options.contents), found, 'after a clean close');
        await this.#verify(log);
      });
    }
  }

  /** The indexes of a log that was closed are to the byte what is made from its segments alone. */
  async #rebuilt(vfs: CrashVfs): Promise<void> {
    const files = await readTree(vfs, DIRECTORY);
    const bare = [...files].filter(([path]) => !INDEX.test(path) && !path.endsWith('/recovery-point'));
    const again = createMemoryVfs();
    await writeTree(again, new Map(bare.filter(([path]) => !path.includes('/LOCK/'))));
    await this.#with(again, async (_, log) => loadIndexes(log));
    const rebuilt = await readTree(again, DIRECTORY);
    const logs = [...files].filter(([path]) => path.endsWith('.log')).sort(([a], [b]) => a.localeCompare(b));
    const [reopened] =
      logs.at(-1)?.[1].length === 0 ? (logs.findLast(([, { length }]) => length > 0) ?? []) : [];
    for (const [path, bytes] of files) {
      const log = path.replace(INDEX, '.log');
      // Retention may leave an index behind; and without a recovery point, an empty segment is removed. Then the one
      // before it is not sealed any more.
      if (!INDEX.test(path) || (files.get(log)?.length ?? 0) === 0 || log === reopened) continue;
      if (Buffer.compare(bytes, rebuilt.get(path) ?? new Uint8Array(1)) !== 0)
        throw new Error(`${path} is not what a rebuild makes`);
    }
  }

  /** Index files are not synced: after a power cut they may be anything, and are made again. */
  async #verify(log: Log): Promise<void> {
    const { problems } = await log.verify();
    const real = problems.filter(({ offsets, file }) => offsets !== undefined || !DERIVED.test(file));
    if (real.length > 0) throw new Error(`verify found: ${JSON.stringify(real)}`);
  }

  async #with<T>(vfs: Vfs, use: (database: Database, log: Log) => Promise<T>): Promise<T> {
    const database = await open(DIRECTORY, { vfs, runtime: this.#options.stage.runtime });
    try {
      const log = await database.log(LOG_NAME, this.#log);
      await settle(1);
      return await use(database, log);
    } finally {
      await database.close();
    }
  }

  #same(now: Found, before: Found, when: string): void {
    const numbers = ({ firstOffset, records }: Found): string =>
      `${firstOffset}: ${records.map(({ sequence }) => sequence).join(' ')}`;
    if (numbers(now) !== numbers(before)) {
      throw new Error(`${when} the log holds\n  ${numbers(now)}\nand held before\n  ${numbers(before)}`);
    }
  }
}

/** Has a log look at the indexes of all its segments. */
async function loadIndexes(log: Log): Promise<void> {
  for (const { baseOffset, nextOffset } of log.info().segments) {
    const offset = Math.max(baseOffset, log.firstOffset);
    if (offset < nextOffset) await log.get(offset);
  }
}

/** The files that must stay as they are; space that was made ahead of its use is none of them. */
function lasting(files: FileTree, ignored: RegExp): FileTree {
  const kept: FileTree = new Map();
  for (const [path, bytes] of files) {
    if (ignored.test(path)) continue;
    const end = path.endsWith('.log') ? bytes.findLastIndex((byte) => byte !== 0) + 1 : bytes.length;
    kept.set(path, bytes.subarray(0, end));
  }
  return kept;
}
