/**
 * What a suite is, and what it is run with. A suite declares its rows, measures, and reports; everything
 * else (where to write, the peers, the table, the JSON) is the harness's.
 *
 * @module
 */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { watchOthers } from './disturbance.ts';
import type { Engine } from './engine.ts';
import type { Environment } from './environment.ts';
import type { Peers } from './peers.ts';
import { type Measurement, measuredRow, type Row, type RowSpec, skippedRow } from './rows.ts';

export interface Context {
  readonly engine: Engine;
  readonly peers: Peers;
  /** Toy sizes: everything is run, nothing is judged. */
  readonly tiny: boolean;
  /** How many rounds count, at least. */
  readonly rounds: number;
  /** How many records there are, where a suite lets that be chosen; undefined for its own number. */
  readonly records: number | undefined;
  /** Whether a row was asked for, or one whose id begins like this: others need not be measured. */
  wants(id: string): boolean;
  /** An empty directory of this suite's own, removed afterwards. */
  readonly directory: string;
  /** Says what is being done now, on stderr. */
  say(text: string): void;
  /** Hands in the measurements of a declared row. */
  report(id: string, measurement: Measurement): void;
  /** Says why a declared row has no ratio. `samples` is what was measured of varve's own side. */
  skip(id: string, reason: string, samples?: readonly number[]): void;
}

export interface Suite {
  readonly name: string;
  /** What is measured, in one sentence. */
  readonly title: string;
  readonly rows: readonly RowSpec[];
  run(context: Context): Promise<void>;
}

/** What one bench gives: the object that `--json` prints. */
export interface Result {
  readonly bench: string;
  readonly title: string;
  /** What to type to get the like of it. */
  readonly command: string;
  readonly tiny: boolean;
  /** How long it took. */
  readonly seconds: number;
  /** Which share of all cores other programs used meanwhile; null where the system does not say. */
  readonly othersShare: number | null;
  readonly env: Environment;
  readonly rows: readonly Row[];
}

export interface RunOptions {
  readonly engine: Engine;
  readonly peers: Peers;
  readonly tiny: boolean;
  /** How many rounds count, at least. */
  readonly rounds: number;
  readonly records: number | undefined;
  /** A part of the ids of the rows that are to be measured; undefined for all. */
  readonly only: string | undefined;
  /** Where the suite's directory is made. */
  readonly directory: string;
  readonly env: Environment;
  say(text: string): void;
}

/** Runs a suite; the rows come back in the order in which it declares them. */
export async function runSuite(suite: Suite, options: RunOptions): Promise<Result> {
  const specs = new Map(suite.rows.map((spec) => [spec.id, spec]));
  const rows = new Map<string, Row>();
  function specOf(id: string): RowSpec {
    const spec = specs.get(id);
    if (spec === undefined) throw new RangeError(`the suite ${suite.name} declares no row ${id}`);
    if (rows.has(id)) throw new RangeError(`the row ${id} is reported twice`);
    return spec;
  }

  const directory = join(options.directory, suite.name);
  mkdirSync(directory, { recursive: true });
  const began = performance.now();
  const others = watchOthers();
  try {
    await suite.run({
      engine: options.engine,
      peers: options.peers,
      tiny: options.tiny,
      rounds: options.tiny ? 1 : options.rounds,
      records: options.records,
      wants: (id) =>
        options.only === undefined ||
        suite.rows.some((row) => row.id.startsWith(id) && row.id.includes(options.only as string)),
      directory,
      say: (text) => options.say(`${suite.name}: ${text}`),
      report(id, measurement) {
        rows.set(id, measuredRow(specOf(id), measurement, !options.tiny));
      },
      skip(id, reason, samples) {
        rows.set(id, skippedRow(specOf(id), reason, samples));
      },
    });
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
  return {
    bench: suite.name,
    title: suite.title,
    command: `npm run bench -- ${suite.name}${options.tiny ? ' --tiny' : ''}`,
    tiny: options.tiny,
    seconds: Math.round((performance.now() - began) / 100) / 10,
    othersShare: others(),
    env: options.env,
    rows: suite.rows.map((spec) => rows.get(spec.id) ?? skippedRow(spec, 'the suite did not measure it')),
  };
}
