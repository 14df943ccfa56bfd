/**
 * What a flush and a merge do alike: sources are merged into the blocks of tables, one call of a kernel a block.
 *
 * @module
 */

import type { MemoryView } from '../../memory/memory.ts';
import * as layout from '../../memory/table-layout.ts';
import { type Fragment, fragmentsBytes, survivingFragments, writeFragments } from '../range-tombstones.ts';
import { loadCompression } from '../table/codecs.ts';
import type { Span, StreamedValue } from '../table/output-bytes.ts';
import { pieceBytes, type WorkContext, type WorkMemory } from '../table/work.ts';
import { type WriteOptions, writerBytes } from '../table/writer.ts';
import { type DropRule, writeDropRule } from './drop-rule.ts';
import { type OutputArgs, type OutputResult, TableOutput } from './output.ts';

/** A source, as a task reads it. */
export interface TaskSource {
  /** Has the kernels' source, which is empty, filled, or ended. */
  next(source: number): Promise<void> | undefined;
  /** The value of the entry that it is at, where that is too large to lie in memory. */
  streamed(): StreamedValue | undefined;
  close(): Promise<void>;
}

/** What is left out, and where tables end. */
export interface MergeRules {
  /** Sequence numbers, the least first: each sees what is older. */
  snapshots: readonly number[];
  /** Deleted ranges of all sources. */
  fragments: readonly Fragment[];
  /** Nothing lies below, so that deletions need not be kept. */
  bottom: boolean;
  /** What is dropped by time. */
  drop?: DropRule | undefined;
  /** Tables end when they have so many bytes; */
  targetBytes: number;
  /** and before these keys, in order. */
  cutKeys: readonly Uint8Array[];
}

/** How much working memory a merge of so many sources takes, without what the sources need. */
export function mergeBytes(
  sources: number,
  rules: Pick<MergeRules, 'snapshots' | 'fragments'>,
  options: WriteOptions,
): number {
  return (
    writerBytes(options) +
    pieceBytes(layout.MERGE_BYTES) +
    pieceBytes(layout.FILTER_BYTES) +
    pieceBytes(sources * layout.SOURCE_BYTES) +
    pieceBytes(sources * 4) +
    pieceBytes(rules.snapshots.length * 8) +
    pieceBytes(fragmentsBytes(rules.fragments)) +
    2 * pieceBytes(layout.KEY_ROOM_BYTES)
  );
}

/** A merge that goes on until everything is in tables. */
class Merging {
  readonly #memory: MemoryView;
  readonly #sources: readonly TaskSource[];
  readonly #rules: MergeRules;
  readonly #output: TableOutput;
  readonly #merge: number;
  readonly #sourceAt: number;
  readonly #limitAt: number;
  #cut = 0;
  #limit: Uint8Array | undefined;

  constructor(
    memory: MemoryView,
    work: WorkMemory,
    sources: readonly TaskSource[],
    rules: MergeRules,
    output: TableOutput,
  ) {
    this.#memory = memory;
    this.#sources = sources;
    this.#rules = rules;
    this.#output = output;
    const { snapshots, fragments } = rules;
    this.#merge = work.take(layout.MERGE_BYTES);
    this.#sourceAt = work.take(sources.length * layout.SOURCE_BYTES);
    const heap = work.take(sources.length * 4);
    const snapshotsAt = work.take(snapshots.length * 8);
    const fragmentsAt = work.take(fragmentsBytes(fragments));
    this.#limitAt = work.take(layout.KEY_ROOM_BYTES);
    memory.u8.fill(0, this.#merge, this.#merge + layout.MERGE_BYTES);
    for (const [i, snapshot] of snapshots.entries()) memory.f64[(snapshotsAt >> 3) + i] = snapshot;
    writeFragments(memory, fragments, fragmentsAt);
    this.#set(layout.MERGE_SOURCES, this.#sourceAt);
    this.#set(layout.MERGE_SOURCE_COUNT, sources.length);
    this.#set(layout.MERGE_HEAP, heap);
    this.#set(layout.MERGE_SNAPSHOTS, snapshotsAt);
    this.#set(layout.MERGE_SNAPSHOT_COUNT, snapshots.length);
    this.#set(layout.MERGE_FRAGMENTS, fragmentsAt);
    this.#set(layout.MERGE_FRAGMENT_COUNT, fragments.length);
    this.#set(layout.MERGE_BOTTOM, Number(rules.bottom));
    const filter = work.take(layout.FILTER_BYTES);
    if (rules.drop !== undefined) {
      writeDropRule(memory, rules.drop, filter);
      this.#set(layout.MERGE_FILTER, filter);
    }
    this.#set(layout.MERGE_VISITED_BUFFER, work.take(layout.KEY_ROOM_BYTES));
    this.#limitAtCut();
  }

  async run(): Promise<OutputResult> {
    const { kernels } = this.#memory;
    const { writer } = this.#output;
    for (const [i, source] of this.#sources.entries())
      await source.next(this.#sourceAt + i * layout.SOURCE_BYTES);
    kernels.mergeStart(this.#merge);
    for (;;) {
      const code = kernels.mergeBlock(this.#merge, writer.builder);
      if (code === layout.MERGED_EMPTY) {
        const index = this.#get(layout.MERGE_EMPTY);
        const waiting = (this.#sources[index] as TaskSource).next(
          this.#sourceAt + index * layout.SOURCE_BYTES,
        );
        if (waiting !== undefined) await waiting;
      } else if (code === layout.MERGED_FULL) {
        const waiting = this.#output.ready();
        if (waiting !== undefined) await waiting;
        const cutting = this.#finishBlock();
        if (cutting !== undefined) await cutting;
      } else if (code === layout.MERGED_LARGE) {
        await this.#takeLarge();
      } else {
        await this.#finishTable(code === layout.MERGED_LIMIT ? this.#limit : undefined);
        if (code === layout.MERGED_END)
          return { files: await this.#output.publish(), dropped: this.#dropped };
        if (this.#limit === this.#rules.cutKeys[this.#cut]) this.#cut++;
        this.#limitAtCut();
      }
    }
  }

  /** Ends the block, and the table where it has enough; returns what has to be waited for. */
  #finishBlock(): Promise<void> | undefined {
    const output = this.#output;
    const next = this.#topKey();
    if (!this.#isTimeToCut()) {
      output.writer.finishBlock(next);
    } else if (this.#get(layout.MERGE_SAME) === 0) {
      return this.#finishTable(next === undefined ? undefined : this.#copy(next));
    } else {
      // Versions of one key must not be in two tables: this one ends with the next key.
      output.writer.finishBlock(next);
      this.#setLimit(Uint8Array.from([...this.#copy(next as Span), 0]));
    }
    return undefined;
  }

  /** Whether the table has enough. */
  #isTimeToCut(): boolean {
    if (!this.#output.mayCut) return false;
    const { i32 } = this.#memory;
    const { builder, bytes } = this.#output.writer;
    const building =
      (i32[(builder + layout.BUILDER_AT) >> 2] as number) -
      (i32[(builder + layout.BUILDER_START) >> 2] as number);
    return bytes + building >= this.#rules.targetBytes;
  }

  async #takeLarge(): Promise<void> {
    const { kernels, i32, f64 } = this.#memory;
    const { writer, mayCut } = this.#output;
    if (kernels.mergeIsDue(this.#merge) === 1) {
      this.#dropLarge();
      return;
    }
    const isFull = writer.hasFile && writer.bytes >= this.#rules.targetBytes;
    if (isFull && mayCut && this.#get(layout.MERGE_SAME) === 0) {
      await this.#finishTable(this.#copy(this.#topKey() as Span));
    }
    await this.#output.ready();
    const top = kernels.mergeTop(this.#merge);
    const field = (at: number): number => i32[(top + at) >> 2] as number;
    const source = this.#sources[(top - this.#sourceAt) / layout.SOURCE_BYTES] as TaskSource;
    const key = { address: field(layout.SOURCE_KEY), bytes: field(layout.SOURCE_KEY_LENGTH) };
    const inMemory = { address: field(layout.SOURCE_VALUE), bytes: field(layout.SOURCE_VALUE_LENGTH) };
    const sequence = f64[(top + layout.SOURCE_SEQUENCE) >> 3] as number;
    writer.writeLarge(key, source.streamed() ?? inMemory, sequence, field(layout.SOURCE_KIND));
    kernels.mergeTake(this.#merge, writer.builder);
  }

  /** Drops the large entry at the top, when it is sure that what it says of its time is what was written. */
  #dropLarge(): void {
    const { kernels } = this.#memory;
    const { writer } = this.#output;
    const top = kernels.mergeTop(this.#merge);
    const streamed = (this.#sources[(top - this.#sourceAt) / layout.SOURCE_BYTES] as TaskSource).streamed();
    if (streamed !== undefined) writer.checkStreamed(streamed);
    kernels.mergeDrop(this.#merge, writer.builder);
  }

  get #dropped(): number {
    return this.#memory.f64[(this.#merge + layout.MERGE_DROPPED) >> 3] as number;
  }

  async #finishTable(upper: Uint8Array | undefined): Promise<void> {
    if (this.#output.writer.hasEntries) await this.#output.ready();
    await this.#output.finishTable(upper);
  }

  /** The key that comes next, as far as it is known. */
  #topKey(): Span | undefined {
    const top = this.#memory.kernels.mergeTop(this.#merge);
    if (top <= 1) return undefined;
    const { i32 } = this.#memory;
    const at = top >> 2;
    return {
      address: i32[at + (layout.SOURCE_KEY >> 2)] as number,
      bytes: i32[at + (layout.SOURCE_KEY_LENGTH >> 2)] as number,
    };
  }

  #copy({ address, bytes }: Span): Uint8Array {
    return this.#memory.u8.slice(address, address + bytes);
  }

  /** Has the table end before the next of the keys that were asked for. */
  #limitAtCut(): void {
    this.#setLimit(this.#output.mayCut ? this.#rules.cutKeys[this.#cut] : undefined);
  }

  #setLimit(key: Uint8Array | undefined): void {
    this.#limit = key;
    if (key !== undefined) this.#memory.u8.set(key, this.#limitAt);
    this.#set(layout.MERGE_LIMIT, key === undefined ? 0 : this.#limitAt);
    this.#set(layout.MERGE_LIMIT_LENGTH, key?.length ?? 0);
  }

  #get(field: number): number {
    return this.#memory.i32[(this.#merge + field) >> 2] as number;
  }

  #set(field: number, value: number): void {
    this.#memory.i32[(this.#merge + field) >> 2] = value;
  }
}

/**
 * Merges sources into tables.
 *
 * @param work has room for `mergeBytes`, besides what the sources have taken
 * @param base no sequence number of a source, or of a deleted range, is less
 * @returns the tables, which are durable; none where nothing is left
 */
export async function mergeSources(
  context: WorkContext,
  work: WorkMemory,
  sources: readonly TaskSource[],
  rules: MergeRules,
  args: OutputArgs,
  base: number,
): Promise<OutputResult> {
  await loadCompression(args.options.compression);
  const kept = survivingFragments(rules.fragments, rules.snapshots, rules.bottom);
  const output = new TableOutput(context, work, args, base, kept);
  try {
    return await new Merging(context.memory, work, sources, rules, output).run();
  } catch (error) {
    await output.discard();
    throw error;
  } finally {
    for (const source of sources) await source.close().catch(() => undefined);
  }
}
