/**
 * `varve bench`: the commands of the laboratory and their options.
 *
 * @module
 */

import type { Command } from 'commander';
import { type PolicyStrategy, parseStrategy, STORES, type Store } from '../lab/matrix.ts';
import { RECORD_BYTES_MAX } from '../limits.ts';
import { parseBytes, parseCount, parseList, parseSyncPolicy, SYNC_POLICY_FORMS } from './arguments.ts';
import type { BenchCompareCommandOptions } from './bench-compare.ts';
import type { BenchFsyncCommandOptions } from './bench-fsync.ts';
import { checked, count, seconds } from './checked.ts';
import { execute } from './context.ts';
import { parseDuration } from './time.ts';

/** @param version what results say they were measured with */
export function addBench(program: Command, version: string): void {
  const bench = program.command('bench').description('measure what durability costs on this disk');
  const command = bench
    .command('fsync')
    .description('measure every sync policy, beside the bare disk, and recommend one')
    .option('--dir <dir>', 'where to measure; what is written there is removed again', '.')
    .option(
      '--policy <policy>',
      `measure only this one (repeatable): ${SYNC_POLICY_FORMS}; with +poll, +preallocate or +O_DSYNC behind it`,
      collectStrategies,
    )
    .option(
      '--stores <list>',
      'what to write to: log, tree, kv, events (log and tree, unless policies are named: then log)',
      checked(parseList(parseStore)),
    )
    .option('--record-bytes <list>', 'sizes of records', checked(parseList(parsePositiveBytes)), [100, 4096])
    .option(
      '--clients <list>',
      'clients that wait for each record',
      checked(parseList(parsePositive)),
      [1, 16, 256],
    )
    .option(
      '--rates <list>',
      'records a second that arrive at random',
      checked(parseList(parsePositive)),
      [2000],
    )
    .option('--seconds <n>', 'about how long all of it may take', seconds, 110)
    .option('--repeats <n>', 'how often each is measured', checked(parsePositive), 5)
    .option('--seed <n>', 'draws payloads, arrivals and the order', count, 1)
    .option('--no-cuts', 'do not try power cuts on a disk in memory')
    .option(
      '--max-loss <duration>',
      'how much a power cut may take, for the recommendation',
      checked(parseLoss),
      0,
    )
    .option('--p99 <duration>', 'the latency to keep, for the recommendation', checked(parseLatency))
    .option('--for-clients <n>', 'recommend for so many clients only', checked(parsePositive))
    .option('--json', 'print the result as JSON')
    .option('--csv', 'print the table as CSV')
    .option('--out <file>', 'save the result as JSON, for bench compare')
    .option('--report <file>', 'write a page with charts (HTML)');
  command.action((options: BenchFsyncCommandOptions) =>
    execute(async (context) => {
      const { benchFsync } = await import('./bench-fsync.ts');
      return benchFsync(options, version, context);
    }),
  );
  const compare = bench
    .command('compare')
    .description(
      'tell which differences between two results are more than chance; exit code 1 where something is worse',
    )
    .argument('<before>', 'a result that --out or --json gave')
    .argument('<after>', 'another')
    .option('--all', 'show what is the same, too')
    .option('--json', 'print JSON');
  compare.action((before: string, after: string, options: BenchCompareCommandOptions) =>
    execute(async (context) => {
      const { benchCompare } = await import('./bench-compare.ts');
      return benchCompare(before, after, options, context);
    }),
  );
}

const strategy = checked((text) => parseStrategy(text, parseSyncPolicy));

function collectStrategies(text: string, before: PolicyStrategy[] | undefined): PolicyStrategy[] {
  return [...(before ?? []), strategy(text)];
}

function parseStore(text: string): Store {
  const store = STORES.find((name) => name === text);
  if (store === undefined) throw new RangeError(`it must be ${STORES.join(', ')}, not "${text}"`);
  return store;
}

function parsePositive(text: string): number {
  const number = parseCount(text);
  if (number === 0) throw new RangeError('it must be 1 or more');
  return number;
}

function parsePositiveBytes(text: string): number {
  const number = parseBytes(text);
  if (number === 0 || number > RECORD_BYTES_MAX) {
    throw new RangeError(`a record has from 1 to ${RECORD_BYTES_MAX} bytes, not ${text}`);
  }
  return number;
}

function parseLoss(text: string): number {
  const durationMs = text === '0' ? 0 : parseDuration(text);
  if (durationMs === undefined)
    throw new RangeError(`it must be 0 or a duration such as 100ms, not "${text}"`);
  return durationMs;
}

function parseLatency(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs === undefined) throw new RangeError(`it must be a duration such as 5ms, not "${text}"`);
  return durationMs;
}
