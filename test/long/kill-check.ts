/**
 * Looks at what a killed process left behind, and says whether every promise was kept:
 *
 * - every acknowledged record is there, with the right content, at the offset that was acknowledged;
 * - offsets are contiguous, from the first on;
 * - each client's records are there in its order, from its first on, each once: so none is there that was
 *   not appended, and none is missing before one that is there;
 * - what was there at an earlier look is still there;
 * - opening to read changes nothing; the lock is free; `verify` finds nothing; what was recovered takes
 *   records; once it was closed, opening it again changes nothing.
 *
 * @module
 */

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isVarveError } from '../../src/errors.ts';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { type Database, open } from '../../src/open.ts';
import type { Runtime } from '../../src/runtime.ts';
import type { Random } from '../kit/random.ts';
import { type Contents, hashOf } from './contents.ts';
import { type Acknowledged, LOG_NAME } from './kill-plan.ts';

const RANDOM_READS = 20;

/** A record that was found. */
interface Known {
  client: number;
  sequence: number;
  hash: number;
}

/** What recoveries did. */
export interface Findings {
  scans: number;
  tornTails: number;
  quarantined: number;
  segments: number;
}

function check(condition: boolean, message: () => string): void {
  if (!condition) throw new Error(message());
}

/** One directory, through the lives and deaths of the processes that use it. */
export class Survivor {
  readonly directory: string;
  readonly findings: Findings = { scans: 0, tornTails: 0, quarantined: 0, segments: 0 };
  readonly #contents: Contents;
  readonly #runtime: Runtime;
  readonly #random: Random;
  /** What was found, by offset. */
  readonly #known: Known[] = [];
  readonly #nextSequence: Map<number, number> = new Map();
  /** The number of the next client that has not been used. */
  nextClient = 0;

  constructor(directory: string, contents: Contents, runtime: Runtime, random: Random) {
    this.directory = directory;
    this.#contents = contents;
    this.#runtime = runtime;
    this.#random = random;
  }

  /** How many records are known to be there. */
  get records(): number {
    return this.#known.length;
  }

  /** Looks without changing anything. */
  async look(acknowledged: readonly Acknowledged[]): Promise<void> {
    const before = this.#snapshot();
    const database = await this.#openReadOnly();
    if (database === undefined) {
      check(
        acknowledged.length + this.#known.length === 0,
        () => 'there is no log, though records were acknowledged',
      );
    } else {
      try {
        await this.#checkRecords(await database.log(LOG_NAME), acknowledged);
      } finally {
        await database.close();
      }
    }
    check(this.#snapshot() === before, () => 'opening to read has changed something');
    this.#checkMemory();
  }

  /** Recovers, looks, appends a record, closes, and opens again. */
  async recover(acknowledged: readonly Acknowledged[], options: LogOptions): Promise<void> {
    await this.#with(options, async (database, log) => {
      const { damage, scannedSegments, tornTails, quarantined } = log.recovery;
      check(damage.length === 0, () => `recovery met damage: ${JSON.stringify(damage)}`);
      this.findings.scans += scannedSegments;
      this.findings.tornTails += tornTails;
      this.findings.quarantined += quarantined.length;
      await this.#checkRecords(log, acknowledged);
      await this.#checkVerify(database);
      await this.#appendOwn(log);
    });
    const before = this.#snapshot();
    await this.#with(options, async (database, log) => {
      const { wasClean, scannedSegments } = log.recovery;
      check(wasClean && scannedSegments === 0, () => 'a log that was closed is recovered again');
      await this.#checkRecords(log, []);
      await this.#checkVerify(database);
      this.findings.segments = Math.max(this.findings.segments, log.info().segments.length);
    });
    const after = this.#snapshot();
    check(
      after === before,
      () => `opening and closing it again has changed it:\n${before}\n--- now:\n${after}`,
    );
    this.#checkMemory();
  }

  async #with(options: LogOptions, use: (database: Database, log: Log) => Promise<void>): Promise<void> {
    const database = await open(this.directory, { runtime: this.#runtime });
    try {
      await use(database, await database.log(LOG_NAME, options));
    } finally {
      await database.close();
    }
  }

  async #openReadOnly(): Promise<Database | undefined> {
    try {
      const database = await open(this.directory, { runtime: this.#runtime, readOnly: true });
      const names = await database.logNames();
      if (names.length > 0) return database;
      await database.close();
    } catch (error) {
      if (!isVarveError(error, 'NOT_FOUND')) throw error;
    }
    return undefined;
  }

  async #checkRecords(log: Log, acknowledged: readonly Acknowledged[]): Promise<void> {
    const had = this.#known.length;
    check(log.firstOffset === 0, () => `the log begins at ${log.firstOffset}`);
    let offset = 0;
    for await (const record of log.read()) {
      check(record.offset === offset, () => `offset ${record.offset} follows where ${offset} should`);
      const { client, sequence } = this.#contents.originOf(record);
      const known = this.#known[offset];
      if (known === undefined) this.#meet(offset, client, sequence, hashOf(record));
      else if (known.client !== client || known.sequence !== sequence) {
        throw new Error(
          `offset ${offset} was ${known.client}:${known.sequence} and is ${client}:${sequence}`,
        );
      }
      offset++;
    }
    check(offset === log.nextOffset, () => `read up to ${offset} of ${log.nextOffset}`);
    check(offset >= had, () => `${had} records were there, and now there are ${offset}`);
    for (const { client, sequence, offset: at, hash } of acknowledged) {
      const found = this.#known[at];
      const isThere = found?.client === client && found.sequence === sequence && found.hash === hash;
      check(
        isThere,
        () => `${client}:${sequence} was acknowledged as ${at}, where there is ${JSON.stringify(found)}`,
      );
    }
    for (let i = 0; i < Math.min(RANDOM_READS, offset); i++) {
      const at = this.#random.int(0, offset - 1);
      const { client, sequence } = this.#contents.originOf(await log.get(at));
      const known = this.#known[at];
      check(
        known?.client === client && known.sequence === sequence,
        () => `get(${at}) is ${client}:${sequence}`,
      );
    }
  }

  /** Takes note of a record that was not there before. */
  #meet(offset: number, client: number, sequence: number, hash: number): void {
    const expected = this.#nextSequence.get(client) ?? 0;
    check(client < this.nextClient, () => `offset ${offset} is of client ${client}, which there never was`);
    check(
      sequence === expected,
      () => `offset ${offset} is ${client}:${sequence}, where ${client}:${expected} comes next`,
    );
    this.#nextSequence.set(client, sequence + 1);
    this.#known.push({ client, sequence, hash });
  }

  async #appendOwn(log: Log): Promise<void> {
    const client = this.nextClient++;
    const offset = await log.append(this.#contents.record(client, 0), { durability: 'synced' });
    check(offset === this.#known.length, () => `appended as ${offset} behind ${this.#known.length} records`);
  }

  async #checkVerify(database: Database): Promise<void> {
    const report = await database.verify();
    const problems = Object.values(report.logs).flatMap((log) => log.problems);
    check(report.isClean && problems.length === 0, () => `verify found: ${JSON.stringify(problems)}`);
  }

  #checkMemory(): void {
    const inUse = this.#runtime.memory.slabs.inUse();
    check(inUse.length === 0, () => `memory was not given back: ${JSON.stringify(inUse)}`);
  }

  /** Every file but the claims on the lock, with its content. */
  #snapshot(): string {
    const { directory } = this;
    if (!existsSync(directory)) return '';
    const lines: string[] = [];
    for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
      const path = join(directory, name);
      if (!statSync(path).isFile()) continue;
      const bytes = readFileSync(path);
      lines.push(`${name} ${bytes.length} ${createHash('sha1').update(bytes).digest('hex')}`);
    }
    return lines.sort().join('\n');
  }
}
