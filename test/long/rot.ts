/**
 * Changes one thing of a database that was left alone, a bit, a length or a name, and uses it.
 *
 * Every change is reported, with the file, the position and exactly the offsets that are lost, or it does no
 * harm. None yields a record that was not written, none ends in anything but a `VarveError`, and no byte of a
 * log is gone afterwards.
 *
 * @module
 */

import { isVarveError, type VarveError } from '../../src/errors.ts';
import type { Log } from '../../src/log/log.ts';
import type { RecoveryMode } from '../../src/log/options.ts';
import { open } from '../../src/open.ts';
import { createFaultVfs } from '../../src/testing/testing.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { readTree, writeTree } from '../kit/trees.ts';
import { checkMemory, until } from './laboratory.ts';
import { DIRECTORY, LOG_NAME } from './reads.ts';
import { type Change, changed, describeChange } from './rot-changes.ts';
import { checkKept } from './rot-kept.ts';
import type { Batch, Site } from './rot-site.ts';

/** Where a batch says how far its segment was synced, in an i32. */
const EPOCH_POSITION = 12;

/** What became of a change. */
export type Outcome = 'refused' | 'reported' | 'set aside' | 'harmless';

/** Offsets that cannot be read, and what said so. */
interface Lost {
  offsets: Set<number>;
  errors: VarveError[];
}

function expect(condition: boolean, message: () => string): void {
  if (!condition) throw new Error(message());
}

/** One change of a site, and one use of it. */
class Rotting {
  readonly #site: Site;
  readonly #change: Change;
  readonly #mode: RecoveryMode;

  constructor(site: Site, change: Change, mode: RecoveryMode) {
    this.#site = site;
    this.#change = change;
    this.#mode = mode;
  }

  async run(): Promise<Outcome> {
    const { stage, files } = this.#site;
    const vfs = createFaultVfs(createMemoryVfs(), []);
    const before = changed(files, this.#change);
    await writeTree(vfs, before);
    let outcome: Outcome;
    try {
      const database = await open(DIRECTORY, { vfs, runtime: stage.runtime });
      try {
        outcome = await this.#use(
          await database.log(LOG_NAME, { ...this.#site.options, recovery: this.#mode }),
        );
      } finally {
        await database.close();
      }
    } catch (error) {
      this.#checkRefusal(error);
      outcome = 'refused';
    }
    checkKept(this.#site, before, await readTree(vfs, DIRECTORY));
    expect(vfs.openFiles === 0, () => `${vfs.openFiles} files are still open`);
    checkMemory(stage);
    return outcome;
  }

  /** The batches that are not what they were, but for a field that nothing depends on. */
  get #hit(): Batch[] {
    const { file } = this.#change;
    const was = this.#site.files.get(file) ?? new Uint8Array();
    const is = changed(this.#site.files, this.#change).get(file) ?? new Uint8Array();
    const isHit = ({ position, size }: Batch): boolean => {
      for (let at = position; at < position + size; at++) {
        if (was[at] !== is[at] && (at < position + EPOCH_POSITION || at >= position + EPOCH_POSITION + 4))
          return true;
      }
      return false;
    };
    return this.#site.batches.filter((batch) => batch.file === file && isHit(batch));
  }

  /** The offsets that may be lost. */
  get #mayLose(): { first: number; last: number } {
    const hit = this.#hit;
    return { first: hit[0]?.firstOffset ?? 0, last: hit.at(-1)?.lastOffset ?? -1 };
  }

  /** Whether a log that was not closed may take the change for a write that the crash tore. */
  get #canLookTorn(): boolean {
    const hit = this.#hit;
    const [first] = hit;
    const active = this.#site.batches.at(-1)?.file;
    if (this.#site.isClosed || first === undefined || first.file !== active) return false;
    const isWitness = (batch: Batch): boolean =>
      batch.file === active && batch.syncedPosition > first.position && !hit.includes(batch);
    return !this.#site.batches.some(isWitness);
  }

  /** Whether the mode goes on without what is damaged. */
  get #isSalvage(): boolean {
    return this.#mode === 'pointInTime' || this.#mode === 'skipAnyCorrupted';
  }

  #checkRefusal(error: unknown): void {
    if (!isVarveError(error)) throw error;
    const { code, file } = error;
    const isVersion = this.#change.file.endsWith('/VERSION');
    const codes = isVersion ? ['CORRUPT', 'VERSION', 'NOT_FOUND'] : ['CORRUPT'];
    expect(codes.includes(code), () => `it was refused with ${code}: ${error.message}`);
    const isNamed = file !== undefined && (file === this.#change.file || (code === 'NOT_FOUND' && isVersion));
    expect(isNamed, () => `it was refused because of ${file}: ${error.message}`);
    if (!isVersion) this.#checkError(error);
  }

  /** A report names the file, the batch that was hit, and what is lost with it. */
  #checkError(error: VarveError): void {
    const [batch] = this.#hit;
    const { first, last } = this.#mayLose;
    const { position, offsets } = error;
    const isThere = batch !== undefined && error.file === batch.file && position === batch.position;
    // A torn write holds no offset that anybody was promised.
    const isTorn = this.#mode === 'absoluteConsistency' && this.#canLookTorn;
    // Where only one batch follows, and nobody knows where the log had ended, its offset may not be believed.
    const end = this.#site.sequences.length;
    const isTail = !this.#site.isClosed && this.#site.batches.at(-1)?.firstOffset === last + 1;
    const isLast = offsets?.last === last || (isTail && offsets?.last === end - 1) || isTorn;
    const isExact = offsets !== undefined && offsets.first === first && isLast;
    expect(
      error.code === 'CORRUPT' && isThere && isExact,
      () =>
        `offsets ${first} to ${last} at ${batch?.position} were hit, and told was ${error.code}: ${error.message}`,
    );
  }

  async #use(log: Log): Promise<Outcome> {
    const { firstOffset: begin, sequences } = this.#site;
    const end = sequences.length;
    // Without the checkpoint, nobody knows any more that the first records were removed.
    const isBack = this.#change.file.endsWith('/recovery-point');
    // Where a mode goes on without the first records, the log begins later, or earlier if nothing is left.
    const isSalvaged = this.#isSalvage && log.recovery.damage.length > 0;
    const isEmpty = log.nextOffset <= begin && log.firstOffset === log.nextOffset;
    const isShort = isSalvaged && (isEmpty || log.firstOffset === this.#mayLose.last + 1);
    expect(
      log.firstOffset === begin || (isBack && log.firstOffset <= begin) || isShort,
      () => `it begins at ${log.firstOffset}, and not ${begin}`,
    );
    expect(log.nextOffset <= end, () => `it ends at ${log.nextOffset}, behind ${end}`);
    const byRead = await this.#read(log);
    const byGet = await this.#get(log);
    const text = ({ offsets }: Lost): string => [...offsets].sort((a, b) => a - b).join(' ');
    expect(text(byRead) === text(byGet), () => `read lost ${text(byRead)}, and get lost ${text(byGet)}`);
    for (let from = log.firstOffset; from < log.nextOffset; from += 3)
      await this.#readFrom(log, from, byRead);
    await this.#readTime(log, byRead);
    return await this.#judge(log, byRead);
  }

  async #judge(log: Log, lost: Lost): Promise<Outcome> {
    const end = this.#site.sequences.length;
    const { problems } = await log.verify();
    const { tornTails, quarantined, damage } = log.recovery;
    for (const error of lost.errors) this.#checkError(error);
    const told = problems.filter(({ offsets }) => offsets !== undefined);
    if (lost.offsets.size > 0) {
      const { first, last } = this.#mayLose;
      const isTold = told.some(
        ({ file, offsets }) =>
          file === this.#change.file &&
          offsets?.first === Math.max(first, log.firstOffset) &&
          offsets.last === last,
      );
      expect(
        isTold || damage.length > 0,
        () => `offsets ${first} to ${last} are lost, and verify says ${JSON.stringify(problems)}`,
      );
      return 'reported';
    }
    if (log.nextOffset < end) {
      const isToldOf = damage.length > 0 || (tornTails > 0 && quarantined.length > 0);
      const isCut = this.#change.kind !== 'flip' && this.#canLookTorn;
      expect(this.#isSalvage || this.#canLookTorn, () => `it ends at ${log.nextOffset}, and not ${end}`);
      expect(isToldOf || isCut, () => `it ends at ${log.nextOffset}, and recovery says nothing`);
      expect(
        log.nextOffset === this.#mayLose.first,
        () => `it ends at ${log.nextOffset}, and ${this.#mayLose.first} was hit`,
      );
      return 'set aside';
    }
    // What was removed lies in its segment still, and verify looks at it.
    const isRemoved = this.#mayLose.last < log.firstOffset;
    expect(
      told.length === 0 || isRemoved,
      () => `everything can be read, and verify says ${JSON.stringify(told)}`,
    );
    return 'harmless';
  }

  /** Reads all that there is, past every damage, and remembers what is lost. */
  async #read(log: Log): Promise<Lost> {
    const lost: Lost = { offsets: new Set(), errors: [] };
    for (let next = log.firstOffset; next < log.nextOffset; ) {
      try {
        for await (const record of log.read({ fromOffset: next })) {
          // Only the mode that steps over damage may leave something out.
          for (; next < record.offset && this.#mode === 'skipAnyCorrupted'; next++) lost.offsets.add(next);
          expect(record.offset === next, () => `read offset ${record.offset} where ${next} comes next`);
          this.#checkRecord(record.offset, this.#site.contents.originOf(record).sequence);
          next++;
        }
        for (; next < log.nextOffset; next++) lost.offsets.add(next);
      } catch (error) {
        if (!isVarveError(error, 'CORRUPT')) throw error;
        lost.errors.push(error);
        const last = error.offsets?.last ?? -1;
        expect(last >= next, () => `read stopped at ${next}: ${error.message}`);
        for (; next <= last; next++) lost.offsets.add(next);
      }
    }
    return lost;
  }

  async #get(log: Log): Promise<Lost> {
    const lost: Lost = { offsets: new Set(), errors: [] };
    for (let offset = log.firstOffset; offset < log.nextOffset; offset++) {
      try {
        const record = await log.get(offset);
        expect(record.offset === offset, () => `got offset ${record.offset} for ${offset}`);
        this.#checkRecord(offset, this.#site.contents.originOf(record).sequence);
      } catch (error) {
        if (!isVarveError(error, 'CORRUPT')) throw error;
        lost.errors.push(error);
        lost.offsets.add(offset);
      }
    }
    return lost;
  }

  /** Reads from the middle on, where the index is asked for the way. */
  async #readFrom(log: Log, from: number, lost: Lost): Promise<void> {
    let next = from;
    try {
      for await (const record of log.read({ fromOffset: from })) {
        while (next < record.offset && lost.offsets.has(next) && this.#mode === 'skipAnyCorrupted') next++;
        expect(
          record.offset === next,
          () => `from ${from}, read offset ${record.offset} where ${next} comes next`,
        );
        this.#checkRecord(next, this.#site.contents.originOf(record).sequence);
        next++;
      }
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT')) throw error;
      expect(
        lost.offsets.has(next),
        () => `from ${from}, offset ${next} is said to be lost: ${error.message}`,
      );
    }
  }

  /** Reads by time, where the time index is asked for the way. */
  async #readTime(log: Log, lost: Lost): Promise<void> {
    const { contents, sequences } = this.#site;
    const fromTimestamp = contents.record(0, Math.floor((sequences.at(-1) as number) / 2)).timestamp;
    const found = new Set<number>();
    try {
      for await (const record of log.read({ fromTimestamp })) {
        this.#checkRecord(record.offset, contents.originOf(record).sequence);
        found.add(record.offset);
      }
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT')) throw error;
      expect(lost.offsets.size > 0, () => `by time: ${error.message}`);
      return;
    }
    for await (const record of log.read(lost.offsets.size > 0 ? { limit: 0 } : {})) {
      const isMissing = record.timestamp >= fromTimestamp && !found.has(record.offset);
      expect(
        !isMissing,
        () => `offset ${record.offset} is missing from what is younger than ${fromTimestamp}`,
      );
    }
  }

  #checkRecord(offset: number, sequence: number): void {
    const expected = this.#site.sequences[offset];
    expect(sequence === expected, () => `offset ${offset} is record ${sequence}, and was ${expected}`);
  }
}

/**
 * Changes a site in one way, and uses it.
 *
 * @returns what became of it
 * @throws Error that says which promise was broken
 */
export async function rot(
  site: Site,
  change: Change,
  mode: RecoveryMode = 'tolerateCorruptedTail',
): Promise<Outcome> {
  return await until(site.stage, describeChange(change), new Rotting(site, change, mode).run());
}
