/**
 * Writes what a journal still has to its store when that is opened, and removes it. A file in which something was
 * damaged, or torn, is kept in `quarantine/` beside the tables.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { decodeOperations, type Operation, OperationsEncoder } from '../lsm/operations.ts';
import type { Trees } from '../lsm/trees.ts';
import { KIND_PUT, OPERATIONS_FORMAT } from '../memory/lsm-layout.ts';
import type { Memory } from '../memory/memory.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { messageStart } from './entry.ts';
import { HEAD_BYTES, KEY_BYTES } from './format.ts';
import { JOURNAL_NAMES } from './journal.ts';
import { type JournalDamage, type JournalSurvey, scanJournals } from './journal-scan.ts';
import type { EventWriter } from './writer.ts';

export const QUARANTINE_NAME = 'quarantine';
const FLIGHTS_MAX = 8;
/** Entries are written together as long as their batch has fewer bytes. */
const WRITE_BYTES = 128 * 1024;
/** How often damage is looked at again beside somebody who may be writing. */
const LOOKS = 2;
const OPENED_SCALE = 256;

/** What the journal of a process that ended has brought. */
export interface JournalReport {
  /** Entries that were in it; the store had some of them, or all, already. */
  entries: number;
  /** Parts that are no records, though others follow them. */
  damage: JournalDamage[];
  /** What was being written when the process died, and is no whole record. */
  torn: JournalDamage | undefined;
  /** Files that were kept because of either. */
  quarantined: string[];
}

export function emptyJournalReport(): JournalReport {
  return { entries: 0, damage: [], torn: undefined, quarantined: [] };
}

/**
 * Writes what a journal has to its store; when this returns, that is synced, and the journal is gone.
 *
 * @param directory of the tree of the store
 * @throws VarveError as `Events.write`: the journal is as it was
 */
export async function recoverJournals(
  directory: string,
  trees: Trees,
  writer: EventWriter,
): Promise<JournalReport> {
  const { vfs, memory } = trees.parts;
  const encoder = new OperationsEncoder();
  const flights: Promise<unknown>[] = [];
  let entries = 0;
  const send = async (): Promise<void> => {
    if (encoder.count === 0) return;
    const flight = trees.writer.write(encoder.bytes, 'written');
    encoder.clear();
    flight.catch(() => undefined);
    flights.push(flight);
    if (flights.length > FLIGHTS_MAX) await flights.shift();
  };
  const take = async (bytes: Buffer): Promise<boolean> => {
    const operations = journalOperations(bytes);
    if (operations === undefined) return false;
    entries += operations.length;
    for (const { key, second } of operations) {
      writer.noteOpened(Math.floor(key.readUInt32BE(8) / OPENED_SCALE));
      encoder.put(writer.tree, key, second as Buffer);
      if (encoder.length > WRITE_BYTES) await send();
    }
    return true;
  };
  let survey: JournalSurvey;
  try {
    survey = await scanJournals(vfs, memory, directory, take);
    // Else the next one to open the store would give out the arrivals of these entries again.
    if (entries > 0) writer.putState(encoder);
    await send();
  } finally {
    await Promise.allSettled(flights);
  }
  await Promise.all(flights);
  if (!survey.isThere) return emptyJournalReport();
  if (entries > 0) await trees.wal.sync();
  const { damage, torn } = survey;
  const isKept = new Set([...damage, ...(torn === undefined ? [] : [torn])].map(({ file }) => file));
  const quarantined = await setAside(vfs, directory, isKept);
  for (const name of JOURNAL_NAMES) await vfs.remove(joinPath(directory, name));
  await vfs.syncDir(directory);
  return { entries, damage, torn, quarantined };
}

/** The puts of a record; undefined where it has anything but entries. */
export function journalOperations(bytes: Buffer): Operation[] | undefined {
  try {
    const operations = [...decodeOperations(Buffer.concat([FORMAT, bytes]), -1)];
    const isRight = operations.every(
      ({ kind, key, second }) =>
        kind === KIND_PUT &&
        key.length === KEY_BYTES &&
        second !== null &&
        second.length >= HEAD_BYTES &&
        messageStart(second, 0) <= second.length,
    );
    return isRight ? operations : undefined;
  } catch (error) {
    if (isVarveError(error, 'CORRUPT')) return undefined;
    throw error;
  }
}

const FORMAT: Buffer = Buffer.from([OPERATIONS_FORMAT]);

/** Moves files to where nobody looks for them; durable when the directory is synced. */
async function setAside(vfs: Vfs, directory: string, files: ReadonlySet<string>): Promise<string[]> {
  if (files.size === 0) return [];
  const folder = joinPath(directory, QUARANTINE_NAME);
  await vfs.mkdir(folder);
  await vfs.syncDir(directory);
  const taken = new Set(await vfs.readdir(folder));
  const moved: string[] = [];
  for (const file of files) {
    const name = file.slice(file.lastIndexOf('/') + 1);
    let free = name;
    for (let i = 1; taken.has(free); i++) free = `${name}.${i}`;
    taken.add(free);
    await vfs.rename(file, joinPath(folder, free));
    moved.push(joinPath(folder, free));
  }
  await vfs.syncDir(folder);
  return moved;
}

/** What damage is, in words. */
export function journalDamageText({ file, position, bytes, records }: JournalDamage): string {
  const what =
    records === undefined ? 'entries' : `${records} ${records === 1 ? 'record' : 'records'} of entries`;
  return `${file} is damaged at position ${position} (${bytes} bytes): ${what} may be lost, if the store did not have them yet`;
}

/**
 * The damage of the journal of a store that may be open: what is being written meanwhile is none.
 *
 * @param directory of the tree of the store
 * @throws VarveError `IO`, `NO_MEMORY`
 */
export async function journalDamage(vfs: Vfs, memory: Memory, directory: string): Promise<JournalDamage[]> {
  const look = async (): Promise<JournalDamage[]> => {
    const { damage } = await scanJournals(
      vfs,
      memory,
      directory,
      (bytes) => journalOperations(bytes) !== undefined,
    );
    return damage;
  };
  let found = await look();
  for (let again = 0; again < LOOKS && found.length > 0; again++) {
    const next = await look();
    found = found.filter(({ file, position }) =>
      next.some((other) => other.file === file && other.position === position),
    );
  }
  return found;
}
