/**
 * Rot of a database that lives on with losses: a repair has noted them in `gaps`, and everything steps over
 * what is written there. A change of that file must never make a record of what is none, pass over one that is
 * whole without a word, or cost a byte; a second repair finds the same losses again.
 *
 * @module
 */

import { isVarveError } from '../../src/errors.ts';
import type { Log } from '../../src/log/log.ts';
import type { RecoveryMode } from '../../src/log/options.ts';
import { open } from '../../src/open.ts';
import { repair } from '../../src/repair.ts';
import { createFaultVfs } from '../../src/testing/testing.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { type FileTree, readTree, writeTree } from '../kit/trees.ts';
import { checkMemory, until } from './laboratory.ts';
import { DIRECTORY, LOG_NAME } from './reads.ts';
import type { Outcome } from './rot.ts';
import { type Change, changed, describeChange } from './rot-changes.ts';
import { checkKept } from './rot-kept.ts';
import { type Batch, createSite, type Site } from './rot-site.ts';

export interface RepairedSite extends Site {
  gapsFile: string;
  /** The batches that were damaged before the repair. */
  lost: readonly Batch[];
}

/** The second batch of every segment that has three or more. */
function victimsOf({ batches, firstOffset }: Site): Batch[] {
  return batches.filter((batch, i) => {
    const isSecond = batches[i - 1]?.file === batch.file && batches[i - 2]?.file !== batch.file;
    return isSecond && batches[i + 1]?.file === batch.file && batch.firstOffset >= firstOffset;
  });
}

async function repairAgain(site: Site, vfs: Vfs): Promise<void> {
  const { runtime } = site.stage;
  await until(site.stage, 'repair', repair(DIRECTORY, { mode: 'skipAnyCorrupted', vfs, runtime }));
}

/** Appends a record, and says what lies there if the process ends then: the last segment has to be scanned. */
async function appendAndEnd(
  { stage, options, contents }: Site,
  vfs: Vfs,
  sequence: number,
): Promise<FileTree> {
  const database = await until(stage, 'open', open(DIRECTORY, { vfs, runtime: stage.runtime }));
  const log = await until(stage, 'open', database.log(LOG_NAME, options));
  await until(stage, 'append', log.append(contents.record(20, sequence)));
  const files = await readTree(vfs, DIRECTORY);
  await until(stage, 'close', database.close());
  return files;
}

/** Makes a database of which some batches were damaged, and repaired with `skipAnyCorrupted`. */
export async function createRepairedSite(seed: number, isClosed: boolean): Promise<RepairedSite> {
  const site = await createSite(seed, isClosed);
  const lost = victimsOf(site);
  let files = site.files;
  for (const { file, position, size } of lost)
    files = changed(files, { kind: 'flip', file, position: position + size - 1, mask: 1 });
  const vfs = createMemoryVfs();
  await writeTree(vfs, files);
  await repairAgain(site, vfs);
  const next = Math.max(...site.sequences) + 1;
  const sequences = isClosed ? site.sequences : [...site.sequences, next];
  const repaired = await (isClosed ? readTree(vfs, DIRECTORY) : appendAndEnd(site, vfs, next));
  const gapsFile = [...repaired.keys()].find((path) => path.endsWith('/gaps'));
  if (gapsFile === undefined || lost.length < 2) throw new Error('the repair has noted too little');
  return { ...site, name: `${site.name}, repaired`, files: repaired, sequences, gapsFile, lost };
}

/** What was read. */
interface Seen {
  /** The offsets whose records were handed out. */
  records: Set<number>;
  /** The offsets that some error has named. */
  named: Set<number>;
}

class RepairedRot {
  readonly #site: RepairedSite;
  readonly #change: Change | undefined;
  readonly #mode: RecoveryMode;
  readonly #lost: Set<number> = new Set();

  constructor(site: RepairedSite, change: Change | undefined, mode: RecoveryMode) {
    this.#site = site;
    this.#change = change;
    this.#mode = mode;
    for (const { firstOffset, lastOffset } of site.lost)
      for (let offset = firstOffset; offset <= lastOffset; offset++) this.#lost.add(offset);
  }

  async run(): Promise<Outcome> {
    const { files, stage } = this.#site;
    const vfs = createFaultVfs(createMemoryVfs(), []);
    const before = this.#change === undefined ? files : changed(files, this.#change);
    await writeTree(vfs, before);
    const outcome = await this.#use(vfs, this.#mode);
    checkKept(this.#site, before, await readTree(vfs, DIRECTORY));
    await this.#repair(before);
    if (vfs.openFiles > 0) throw new Error(`${vfs.openFiles} files are still open`);
    checkMemory(stage);
    return outcome;
  }

  /** A repair finds what was noted again, and nothing else. */
  async #repair(before: FileTree): Promise<void> {
    const vfs = createMemoryVfs();
    await writeTree(vfs, before);
    await repairAgain(this.#site, vfs);
    checkKept(this.#site, before, await readTree(vfs, DIRECTORY));
    const outcome = await this.#use(vfs, 'tolerateCorruptedTail');
    if (outcome !== 'harmless') throw new Error(`after another repair it is ${outcome}`);
  }

  async #use(vfs: Vfs, mode: RecoveryMode): Promise<Outcome> {
    const { options, stage } = this.#site;
    try {
      const database = await open(DIRECTORY, { vfs, runtime: stage.runtime });
      try {
        return await this.#look(await database.log(LOG_NAME, { ...options, recovery: mode }), mode);
      } finally {
        await database.close();
      }
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT')) throw error;
      const { file, position, offsets } = error;
      // A refusal names one of the losses exactly, or the file that noted them.
      const isLoss = this.#site.lost.some(
        (batch) =>
          file === batch.file &&
          position === batch.position &&
          offsets?.first === batch.firstOffset &&
          offsets.last === batch.lastOffset,
      );
      if (!isLoss && file !== this.#site.gapsFile) throw error;
      return 'refused';
    }
  }

  async #look(log: Log, mode: RecoveryMode): Promise<Outcome> {
    const { firstOffset, sequences } = this.#site;
    const end = sequences.length;
    if (log.firstOffset !== firstOffset) throw new Error(`it begins at ${log.firstOffset}`);
    if (log.nextOffset > end || (log.nextOffset < end && mode !== 'pointInTime'))
      throw new Error(`it ends at ${log.nextOffset}, and not ${end}`);
    const byRead = await this.#read(log);
    const byGet = await this.#get(log);
    for (let offset = firstOffset; offset < log.nextOffset; offset++) {
      const isLost = this.#lost.has(offset);
      if (byRead.records.has(offset) === isLost || byGet.records.has(offset) === isLost)
        throw new Error(`offset ${offset}: lost ${isLost}, read ${byRead.records.has(offset)}`);
      if (isLost && !byGet.named.has(offset)) throw new Error(`no error names offset ${offset}`);
    }
    const { problems, knownLosses } = await log.verify();
    const told = new Set<number>();
    for (const { offsets } of [...problems, ...knownLosses])
      for (let offset = offsets?.first ?? 0; offset <= (offsets?.last ?? -1); offset++) told.add(offset);
    for (const offset of this.#lost)
      if (offset < log.nextOffset && !told.has(offset)) throw new Error(`verify is silent about ${offset}`);
    if (log.nextOffset < end) return 'set aside';
    const isReported = problems.length > 0 || log.recovery.damage.length > 0 || byRead.named.size > 0;
    return isReported ? 'reported' : 'harmless';
  }

  async #read(log: Log): Promise<Seen> {
    const seen: Seen = { records: new Set(), named: new Set() };
    for (let next = log.firstOffset; next < log.nextOffset; ) {
      try {
        for await (const record of log.read({ fromOffset: next })) {
          if (record.offset < next) throw new Error(`read offset ${record.offset} behind ${next - 1}`);
          this.#checkRecord(record.offset, this.#site.contents.originOf(record).sequence);
          seen.records.add(record.offset);
          next = record.offset + 1;
        }
        next = log.nextOffset;
      } catch (error) {
        next = this.#note(error, next, seen);
      }
    }
    return seen;
  }

  async #get(log: Log): Promise<Seen> {
    const seen: Seen = { records: new Set(), named: new Set() };
    for (let offset = log.firstOffset; offset < log.nextOffset; offset++) {
      try {
        const record = await log.get(offset);
        if (record.offset !== offset) throw new Error(`got offset ${record.offset} for ${offset}`);
        this.#checkRecord(offset, this.#site.contents.originOf(record).sequence);
        seen.records.add(offset);
      } catch (error) {
        this.#note(error, offset, seen);
      }
    }
    return seen;
  }

  /** Notes the offsets that an error names. Returns the one behind them. */
  #note(error: unknown, at: number, { named }: Seen): number {
    if (!isVarveError(error, 'CORRUPT')) throw error;
    const last = error.offsets?.last ?? -1;
    if (last < at) throw new Error(`reading stopped at ${at}: ${error.message}`);
    for (let offset = error.offsets?.first ?? at; offset <= last; offset++) named.add(offset);
    return last + 1;
  }

  #checkRecord(offset: number, sequence: number): void {
    const expected = this.#site.sequences[offset];
    if (sequence !== expected) throw new Error(`offset ${offset} is record ${sequence}, and was ${expected}`);
  }
}

/**
 * Changes the `gaps` of a site in one way, or nothing, and uses it; then repairs it again.
 *
 * @returns what became of it
 * @throws Error that says which promise was broken
 */
export async function rotRepaired(
  site: RepairedSite,
  change: Change | undefined,
  mode: RecoveryMode = 'tolerateCorruptedTail',
): Promise<Outcome> {
  const what = change === undefined ? 'no change' : describeChange(change);
  return await until(site.stage, what, new RepairedRot(site, change, mode).run());
}
