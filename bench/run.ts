/**
 * The benches: `npm run bench -- NAME... [--json] [--tiny] [--out FILE] [--against FILE] [--rounds N] [--dir DIR]`.
 *
 * Prints a table for each bench, or with `--json` the result as JSON: one object for one bench, an array
 * for several. A full run is also kept in build/bench/NAME.json, which is what docs/PERFORMANCE.md is
 * written from. A missed target is printed as missed and is no failure of the run.
 *
 * @module
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compareWith, formatChanges } from './against.ts';
import { loadEngine } from './engine.ts';
import { describeEnvironment } from './environment.ts';
import { installedPeers, noPeers } from './peers.ts';
import { formatResult } from './print.ts';
import { type Result, runSuite, type Suite } from './suite.ts';
import { appendSuite } from './suites/append.ts';
import { compactionSuite } from './suites/compaction.ts';
import { compressionSuite } from './suites/compression.ts';
import { crc32cSuite } from './suites/crc32c.ts';
import { ingestSuite } from './suites/ingest.ts';
import { kernelsSuite } from './suites/kernels.ts';
import { logsSuite } from './suites/logs.ts';
import { peersSuite } from './suites/peers.ts';
import { readSuite } from './suites/read.ts';
import { recoverSuite } from './suites/recover.ts';
import { storesSuite } from './suites/stores.ts';
import { treeSuite } from './suites/tree.ts';

const suites: readonly Suite[] = [
  crc32cSuite,
  kernelsSuite,
  appendSuite,
  readSuite,
  recoverSuite,
  ingestSuite,
  peersSuite,
  logsSuite,
  treeSuite,
  compressionSuite,
  storesSuite,
  compactionSuite,
];

const usage = `usage: npm run bench -- NAME... [options]

${suites.map((suite) => `  ${suite.name.padEnd(10)} ${suite.title}`).join('\n')}
  all        every one of them

  --json       print JSON instead of tables
  --out FILE   write the JSON to a file as well
  --against FILE  compare with such a file from before; exit code 1 where something became slower
  --rounds N   how often each is measured (default: 5); to find what became slower, take 8 in both runs
  --records N  how many records the bench \`tree\` has (default: a million)
  --only TEXT  of the bench \`tree\`, only the rows whose names have this in them
  --dir DIR    write below DIR, which is made if it is missing (default: ${tmpdir()})
  --tiny       toy sizes and no peers: shows that the benches work
`;

interface Arguments {
  readonly suites: readonly Suite[];
  readonly json: boolean;
  readonly tiny: boolean;
  readonly out: string | undefined;
  /** Results from before. */
  readonly against: readonly Result[] | undefined;
  readonly rounds: number;
  readonly records: number | undefined;
  readonly only: string | undefined;
  readonly directory: string;
}

/** Reads the command line; a string is what is wrong with it. */
function readArguments(): Arguments | string {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        tiny: { type: 'boolean', default: false },
        out: { type: 'string' },
        against: { type: 'string' },
        rounds: { type: 'string', default: '5' },
        records: { type: 'string' },
        only: { type: 'string' },
        dir: { type: 'string', default: tmpdir() },
      },
    });
    const names = positionals.includes('all') ? suites.map((suite) => suite.name) : [...new Set(positionals)];
    if (names.length === 0) return 'the name of a bench is missing';
    const unknown = names.find((name) => !suites.some((suite) => suite.name === name));
    if (unknown !== undefined) return `there is no bench ${unknown}`;
    const rounds = Number(values.rounds);
    if (!Number.isSafeInteger(rounds) || rounds < 1) return '--rounds is a whole number, 1 or more';
    const records = values.records === undefined ? undefined : Number(values.records);
    if (records !== undefined && (!Number.isSafeInteger(records) || records < 1000))
      return '--records is a whole number, 1000 or more';
    const directory = join(resolve(values.dir), `varve-bench-${process.pid}`);
    const chosen = suites.filter((suite) => names.includes(suite.name));
    const against = values.against === undefined ? undefined : readResults(values.against);
    return {
      suites: chosen,
      json: values.json,
      tiny: values.tiny,
      out: values.out,
      against,
      rounds,
      records,
      only: values.only,
      directory,
    };
  } catch (error) {
    return (error as Error).message;
  }
}

/** Results that `--out` or `--json` gave. */
function readResults(file: string): Result[] {
  const parsed = JSON.parse(readFileSync(file, 'utf8')) as Result | Result[];
  const results = Array.isArray(parsed) ? parsed : [parsed];
  if (!results.every(({ rows }) => Array.isArray(rows))) throw new Error(`${file} is no result of a bench`);
  return results;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function keep(result: Result): void {
  const folder = fileURLToPath(new URL('../build/bench', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.bench}.json`), `${JSON.stringify(result, null, 2)}\n`);
}

async function run(args: Arguments): Promise<void> {
  const { directory, tiny, rounds, records, only } = args;
  mkdirSync(directory, { recursive: true });
  const remove = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', remove);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

  const engine = await loadEngine();
  const peers = tiny ? noPeers('a tiny run has no peers') : installedPeers(say);
  const results: Result[] = [];
  for (const suite of args.suites) {
    const env = describeEnvironment(directory);
    const result = await runSuite(suite, {
      engine,
      peers,
      tiny,
      rounds,
      records,
      only,
      directory,
      env,
      say,
    });
    if (!tiny) keep(result);
    if (!args.json) process.stdout.write(`${results.length === 0 ? '' : '\n'}${formatResult(result)}`);
    results.push(result);
  }
  const json = `${JSON.stringify(results.length === 1 ? results[0] : results, null, 2)}\n`;
  if (args.json) process.stdout.write(json);
  if (args.out !== undefined) {
    mkdirSync(dirname(resolve(args.out)), { recursive: true });
    writeFileSync(args.out, json);
  }
  if (args.against !== undefined) {
    const changes = compareWith(args.against, results);
    process.stderr.write(`\nagainst the run from before:\n${formatChanges(changes)}`);
    if (changes.some(({ verdict }) => verdict === 'worse')) process.exitCode = 1;
  }
}

const args = readArguments();
if (typeof args === 'string') {
  process.stderr.write(`bench: ${args}\n\n${usage}`);
  process.exitCode = 2;
} else {
  await run(args);
}
