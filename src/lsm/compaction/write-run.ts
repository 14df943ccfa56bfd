/**
 * The task that writes a memtable to a table, as it lies in the shared memory.
 *
 * @module
 */

import type { MemoryView } from '../../memory/memory.ts';
import { FORM_RUN } from '../../memory/table-layout.ts';
import { endSource, setSource } from '../merge-source.ts';
import { fragmentsOf, neededTombstones, type RangeTombstone } from '../range-tombstones.ts';
import { type WorkContext, WorkMemory } from '../table/work.ts';
import { DEFAULT_WRITE_OPTIONS } from '../table/writer.ts';
import { type MergeRules, mergeBytes, mergeSources, type TaskSource } from './merge-core.ts';
import type { OutputArgs, OutputResult } from './output.ts';

/** What is written, as plain values. */
export interface WriteRunArgs extends OutputArgs {
  /** Runs of cells; they must not change until the task is over. */
  runs: { address: number; count: number }[];
  rangeTombstones: RangeTombstone[];
  /** Sequence numbers at which somebody reads, the least first. */
  snapshots: number[];
  /** No sequence number of a run, or of a deleted range, is less. */
  smallestSequence: number;
  /** Whether the tree has no tables, so that deletions need not be kept. */
  bottom: boolean;
}

function rulesOf({ snapshots, rangeTombstones, bottom, drop }: WriteRunArgs): MergeRules {
  const fragments = fragmentsOf(neededTombstones(rangeTombstones, snapshots));
  return { snapshots, fragments, bottom, drop, targetBytes: Number.POSITIVE_INFINITY, cutKeys: [] };
}

/** How much working memory the task takes. */
export function writeRunBytes(args: WriteRunArgs): number {
  return mergeBytes(args.runs.length, rulesOf(args), args.options);
}

/** What it takes as a rule: to write one run, while nobody needs more than the newest of each key. */
export const USUAL_WRITE_RUN_BYTES: number = mergeBytes(
  1,
  { snapshots: [], fragments: [] },
  DEFAULT_WRITE_OPTIONS,
);

class Run implements TaskSource {
  readonly #memory: MemoryView;
  readonly #address: number;
  #left: number;

  constructor(memory: MemoryView, address: number, count: number) {
    this.#memory = memory;
    this.#address = address;
    this.#left = count;
  }

  next(source: number): undefined {
    if (this.#left === 0) endSource(this.#memory, source);
    else setSource(this.#memory, source, FORM_RUN, this.#address, this.#left, false);
    this.#left = 0;
  }

  streamed(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#left = 0;
  }
}

/**
 * Writes runs to one table.
 *
 * @returns it, its directory synced; no file where nothing is left of the runs
 * @throws VarveError `NO_SPACE`, `IO`, `UNSUPPORTED`; `CLOSED` where it was called off. What was written is removed
 *   then
 */
export async function writeRun(context: WorkContext, args: WriteRunArgs): Promise<OutputResult> {
  const work = new WorkMemory(context.work, writeRunBytes(args));
  const sources = args.runs.map(({ address, count }) => new Run(context.memory, address, count));
  return await mergeSources(context, work, sources, rulesOf(args), args, args.smallestSequence);
}
