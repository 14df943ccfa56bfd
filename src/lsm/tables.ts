/**
 * The files of tables: they are opened, and removed when nobody needs them any more. What is in a folder of
 * tables and not in the manifest was left behind by a crash.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import type { Memory } from '../memory/memory.ts';
import { Flights } from '../vfs/flights.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import type { TableRecord } from './manifest-state.ts';
import type { BlockCache } from './table/block-cache.ts';
import { TableReader } from './table/reader.ts';
import { otherTable, parseTableFileName, type TableFile, tableFileName } from './table/table-file.ts';
import { Table, Version } from './version.ts';

export interface TablesParts {
  vfs: Vfs;
  memory: Memory;
  cache: BlockCache;
}

export class Tables {
  /** A table that could not be removed; the next one to open the database will. */
  backgroundError: unknown;
  readonly #parts: TablesParts;
  readonly #flights: Flights = new Flights();

  constructor(parts: TablesParts) {
    this.#parts = parts;
  }

  /**
   * Opens a table.
   *
   * @throws VarveError `CORRUPT`, `NOT_FOUND`, `IO`, `NO_MEMORY`, `VERSION`
   */
  async open(folder: string, file: TableFile): Promise<Table> {
    const { vfs, memory, cache } = this.#parts;
    const path = joinPath(folder, tableFileName(file.number));
    const reader = await TableReader.open(vfs, path, memory, cache, file.number);
    return this.#made(file, path, reader);
  }

  /** Opens a table of the manifest, and sees that it is the one that is meant. */
  async #openKnown(folder: string, file: TableFile): Promise<Table> {
    const table = await this.open(folder, file);
    const other = otherTable(table.path, file.properties, table.reader.properties);
    if (other === undefined) return table;
    await table.reader.close();
    throw other;
  }

  async #openSomehow(folder: string, file: TableFile): Promise<Table> {
    try {
      return await this.#openKnown(folder, file);
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT') && !isVarveError(error, 'NOT_FOUND')) throw error;
      const { memory, cache } = this.#parts;
      const path = joinPath(folder, tableFileName(file.number));
      return this.#made(
        file,
        path,
        TableReader.damaged(path, file.properties, error, memory, cache, file.number),
      );
    }
  }

  #made(file: TableFile, path: string, reader: TableReader): Table {
    return new Table(file, path, reader, (table) => {
      void this.#flights.during(this.#dispose(table));
    });
  }

  /** Opens tables that were just written, held for the caller; removes all of them where one cannot be opened. */
  async openAll(folder: string, files: readonly TableFile[]): Promise<Table[]> {
    const opened: Table[] = [];
    try {
      for (const file of files) {
        const table = await this.open(folder, file);
        table.hold();
        opened.push(table);
      }
      return opened;
    } catch (error) {
      for (const table of opened) {
        table.isObsolete = true;
        table.release();
      }
      await this.discard(
        folder,
        files.slice(opened.length).map(({ number }) => number),
      );
      throw error;
    }
  }

  /**
   * Opens all tables of a tree. Those that are damaged, that are missing or that are others than the manifest has, fail
   * when one of their keys is asked for.
   *
   * @param isStrict whether they fail here
   */
  async openVersion(folder: string, records: readonly TableRecord[], isStrict: boolean): Promise<Version> {
    const opened: { table: Table; level: number }[] = [];
    const attempts = await Promise.allSettled(
      records.map(async (record) => {
        const table = await (isStrict ? this.#openKnown(folder, record) : this.#openSomehow(folder, record));
        opened.push({ table, level: record.level });
      }),
    );
    const empty = new Version([]);
    const version = empty.change({ add: opened });
    empty.release();
    const failed = attempts.find((attempt) => attempt.status === 'rejected');
    if (failed === undefined) return version;
    version.release();
    throw failed.reason;
  }

  /** Removes tables that no tree has: what was being written when a process ended. */
  async removeOrphans(folder: string, known: ReadonlySet<number>): Promise<void> {
    const { vfs } = this.#parts;
    for (const name of await vfs.readdir(folder)) {
      const number = parseTableFileName(name);
      if (number !== undefined && !known.has(number)) await vfs.remove(joinPath(folder, name));
    }
  }

  /** Removes files that were written in vain. */
  async discard(folder: string, numbers: readonly number[]): Promise<void> {
    for (const number of numbers) await this.#remove(joinPath(folder, tableFileName(number)));
  }

  /** Waits for what is being closed and removed. */
  async close(): Promise<void> {
    await this.#flights.idle();
  }

  async #dispose(table: Table): Promise<void> {
    try {
      await table.reader.close();
    } catch (error) {
      this.backgroundError = error;
    }
    if (table.isObsolete) await this.#remove(table.path);
  }

  async #remove(path: string): Promise<void> {
    try {
      await this.#parts.vfs.remove(path);
    } catch (error) {
      this.backgroundError = error;
    }
  }
}
