/**
 * The task that merges tables into others.
 *
 * @module
 */

import { fragmentsOf, neededTombstones, type RangeTombstone } from '../range-tombstones.ts';
import { settleTable } from '../table/codecs.ts';
import type { TableFile } from '../table/table-file.ts';
import { type WorkContext, WorkMemory } from '../table/work.ts';
import { type MergeRules, mergeBytes, mergeSources } from './merge-core.ts';
import type { OutputArgs, OutputResult } from './output.ts';
import { type DamagedBlocks, scanBytes, TableScan } from './table-scan.ts';

/** What is merged, as plain values. */
export interface MergeTablesArgs extends OutputArgs {
  /** Each is read from table to table: one of level 0 alone, those of another level in order. */
  inputs: TableFile[][];
  /** The deleted ranges of all inputs. */
  rangeTombstones: RangeTombstone[];
  /** Sequence numbers at which somebody reads, the least first. */
  snapshots: number[];
  /** Whether no table that is older has a key in the range of these. */
  bottom: boolean;
  /** Tables end when they have so many bytes; */
  targetBytes: number;
  /** and before these keys, in order. */
  cutKeys: Uint8Array[];
  /** Blocks that are passed over, for a repair; none unless given. */
  damaged?: DamagedBlocks;
}

function rulesOf(args: MergeTablesArgs): MergeRules {
  const { snapshots, rangeTombstones, bottom, drop, targetBytes, cutKeys } = args;
  const fragments = fragmentsOf(neededTombstones(rangeTombstones, snapshots));
  return { snapshots, fragments, bottom, drop, targetBytes, cutKeys };
}

/** How much working memory the task takes. */
export function mergeTablesBytes(args: MergeTablesArgs): number {
  const scans = args.inputs.reduce((bytes, tables) => bytes + scanBytes(tables, args.options.bufferBytes), 0);
  return scans + mergeBytes(args.inputs.length, rulesOf(args), args.options);
}

/**
 * Merges tables.
 *
 * @returns the tables made of them, their directory synced; none where nothing is left
 * @throws VarveError `CORRUPT`, `NO_SPACE`, `IO`, `UNSUPPORTED`; `CLOSED` where it was called off. What was written
 *   is removed then
 */
export async function mergeTables(context: WorkContext, args: MergeTablesArgs): Promise<OutputResult> {
  const { memory, vfs } = context;
  for (const { properties } of args.inputs.flat()) await settleTable(properties.codec);
  const work = new WorkMemory(context.work, mergeTablesBytes(args));
  const scans = args.inputs.map((tables) => new TableScan(memory, work, vfs, args, tables, args.damaged));
  const base = args.inputs.flat().reduce((least, { properties }) => {
    return Math.min(least, properties.smallestSequence);
  }, Number.MAX_SAFE_INTEGER);
  return await mergeSources(context, work, scans, rulesOf(args), args, base);
}
