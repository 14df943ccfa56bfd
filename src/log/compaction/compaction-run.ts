/**
 * One compaction under way: which segments take part, what the map has of them, and how they are rewritten and put in
 * place, in as many passes as the memory for the map makes necessary.
 *
 * @module
 */

import type { Clock } from '../../clock.ts';
import { isVarveError, VarveError } from '../../errors.ts';
import type { Slab } from '../../memory/slabs.ts';
import { sealedCodec } from '../compression-options.ts';
import type { ResolvedLogOptions } from '../options.ts';
import type { Segment, SegmentContext } from '../segment.ts';
import type { Segments } from '../segments.ts';
import type { LogWork } from '../work.ts';
import {
  countMarked,
  type KeyMapPlan,
  keyMapBytes,
  keysOf,
  layOutKeyMap,
  type Region,
  takeSlab,
} from './key-map.ts';
import { type CleanablePlan, groupSegments, isMuchSmaller } from './policy.ts';
import type { ReportBuilder } from './report.ts';
import { type RewriteArgs, type Rewritten, removeCleaned, syncCleaned } from './rewrite-segments.ts';
import { meanKeyBytes, meanRecordBytes } from './sample-keys.ts';
import type { SourceFile, SourceProblem } from './source.ts';

/** What a key is taken to have where nothing is known. */
const MEAN_KEY_BYTES = 24;

export interface CompactorParts {
  context: SegmentContext;
  options: ResolvedLogOptions;
  segments: Segments;
  clock: Clock;
  work: LogWork;
  /** Throws where the log is closed, or poisoned. */
  check: () => void;
}

/** What is asked of a run, checked. */
export interface CompactionRequest {
  /** Compact what may be touched, whether it is time or not. */
  force: boolean;
  dryRun: boolean;
  /** Instead of keys: whole records that are there more than once, within this many. */
  duplicatesWithin: number | undefined;
  /** The memory for the map; as the options of the log say unless given. */
  keyMapBytes: number | undefined;
  signal: AbortSignal | undefined;
  onProgress: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** A segment that takes part, with the number of its first record in the map. */
interface Part extends SourceFile {
  segment: Segment;
  createdAtMs: number;
  number: number;
  /** How many of its records were taken into the map. */
  mapped: number;
  /** How many bytes will be left of it, about. */
  estimatedBytes: number;
}

export class Run {
  readonly #parts: CompactorParts;
  readonly #request: CompactionRequest;
  readonly #plan: CleanablePlan;
  readonly #report: ReportBuilder;
  readonly #work: Region;
  readonly #skipped = new Set<Segment>();
  /** What is being put in place. */
  #putting: Promise<void> = Promise.resolve();
  #meanKeyBytes = MEAN_KEY_BYTES;
  /** What begins before this was looked at by an earlier pass. */
  #countedTo = 0;
  #doneBytes = 0;

  constructor(
    parts: CompactorParts,
    request: CompactionRequest,
    plan: CleanablePlan,
    report: ReportBuilder,
    work: Slab,
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#plan = plan;
    this.#report = report;
    this.#work = { address: work.address, bytes: work.bytes };
  }

  /** Looks at the first keys, or records, to know about how long they are. */
  async sample(): Promise<void> {
    const first = this.#parts.segments.sealed.find(({ nextOffset }) => nextOffset > this.#firstOffset);
    if (first === undefined) return;
    const mean = this.#isKeyed ? await meanKeyBytes(this.#parts.context, first) : meanRecordBytes(first);
    this.#meanKeyBytes = mean ?? MEAN_KEY_BYTES;
  }

  /** Waits for what is being put in place. */
  async settle(): Promise<void> {
    await this.#putting.catch(() => undefined);
  }

  /** Memory for the map: what it takes, or what there is. */
  takeMap(): Slab {
    const { options, context } = this.#parts;
    const records = this.#countFrom(this.#firstOffset);
    const most = this.#request.keyMapBytes ?? options.keyMapBytes;
    let bytes = Math.min(most, keyMapBytes(records, this.#meanKeyBytes));
    const sizes: number[] = [];
    for (; bytes > 64 * 1024; bytes /= 2) sizes.push(Math.ceil(bytes));
    return takeSlab(context.memory.slabs, [...sizes, 64 * 1024]);
  }

  get #isKeyed(): boolean {
    return this.#request.duplicatesWithin === undefined;
  }

  /** Where what is to be taken into the map begins. */
  get #firstOffset(): number {
    return this.#isKeyed ? this.#plan.firstDirty : (this.#parts.segments.sealed[0]?.baseOffset ?? 0);
  }

  /**
   * Passes until everything was compared.
   *
   * Passes that look for doubles overlap by as many records as two may lie apart. What one pass has removed the next
   * does not see, and it may have lain between two others that are the same: so they begin anew until nothing is found.
   */
  async all(map: Slab, cleanedTo: number, onDone: (offset: number) => Promise<void>): Promise<void> {
    const report = this.#report;
    for (let mayHide = true; mayHide; ) {
      const { passes, duplicateRecords } = report;
      await this.#passes(map, cleanedTo, onDone);
      mayHide = !report.isDryRun && report.duplicateRecords > duplicateRecords && report.passes > passes + 1;
    }
  }

  async #passes(map: Slab, cleanedTo: number, onDone: (offset: number) => Promise<void>): Promise<void> {
    const region = { address: map.address, bytes: map.bytes };
    const within = this.#request.duplicatesWithin ?? 0;
    let from = this.#firstOffset;
    this.#countedTo = from;
    const isAgain = from >= this.#plan.end;
    for (;;) {
      const parts = this.#take();
      const { to, records } = await this.#mapFrom(region, parts, from);
      const isEnd = to >= this.#plan.end;
      if ((to === from && !isAgain) || (!isEnd && to - within <= from)) {
        const what = this.#isKeyed ? 'a single key' : `${within} records (withinRecords)`;
        const room = `${map.bytes} bytes (keyMapBytes) take ${records}`;
        throw new VarveError('NO_MEMORY', `there is no room for ${what}: ${room}`);
      }
      this.#report.passes++;
      this.#report.keys += keysOf(this.#parts.context.memory, region);
      await this.#rewriteAll(region, parts, from, to);
      this.#countedTo = to;
      await onDone(Math.max(cleanedTo, Math.min(to, ...this.#skippedFrom())));
      if (isEnd) return;
      // Offsets that nobody has any more do not count.
      const overlapping = parts.filter(({ nextOffset }) => nextOffset > from);
      const absent = overlapping.reduce((sum, { segment }) => sum + segment.absentOffsets, 0);
      const start = this.#isKeyed ? to : to - within - absent;
      from = start > from ? start : to - within;
    }
  }

  /** Where segments begin that were left as they are: what they may hold has been compared with nothing. */
  #skippedFrom(): number[] {
    return [...this.#skipped].map(({ baseOffset }) => baseOffset);
  }

  /** The segments that may be touched, as they are now. */
  #take(): Part[] {
    const parts: Part[] = [];
    for (const segment of this.#parts.segments.sealed) {
      if (segment.nextOffset > this.#plan.end) break;
      const { path, baseOffset, nextOffset, bytes, createdAtMs } = segment;
      if (segment.damaged.length > 0 && !this.#skipped.has(segment)) {
        const message = `${path} is not compacted: something in it is known to be lost`;
        this.#skip(segment, { file: path, position: segment.damaged[0]?.start ?? 0, message });
      }
      const file = { path, baseOffset, nextOffset, bytes };
      parts.push({ ...file, segment, createdAtMs, number: 0, mapped: 0, estimatedBytes: bytes });
    }
    return parts;
  }

  #skip(segment: Segment, problem: SourceProblem): void {
    this.#skipped.add(segment);
    const { baseOffset, nextOffset } = segment;
    this.#report.skipped.push({ ...problem, offsets: { first: baseOffset, last: nextOffset - 1 } });
  }

  #countFrom(from: number): number {
    let records = 0;
    for (const { baseOffset, nextOffset, absentOffsets } of this.#parts.segments.sealed) {
      if (nextOffset <= from) continue;
      records += Math.max(
        0,
        nextOffset - Math.max(from, baseOffset) - (baseOffset >= from ? absentOffsets : 0),
      );
    }
    return Math.max(1, records);
  }

  /**
   * Takes the keys from an offset on into the map.
   *
   * @returns the offset behind the last record that was taken in, and how many were
   */
  async #mapFrom(map: Region, parts: Part[], from: number): Promise<{ to: number; records: number }> {
    const { work } = this.#parts;
    const plan = {
      records: this.#countFrom(from),
      meanKeyBytes: this.#meanKeyBytes,
      within: this.#request.duplicatesWithin ?? Infinity,
    };
    let layOut: KeyMapPlan | undefined = plan;
    let number = 0;
    let to = from;
    // Where nothing is new, the map stays empty, and only the time of deletions may have come.
    const dirty = parts.filter(({ nextOffset }) => nextOffset > from);
    for (const part of dirty) {
      this.#check();
      if (this.#skipped.has(part.segment)) {
        to = part.nextOffset;
        continue;
      }
      part.number = number;
      const { path, baseOffset, nextOffset, bytes } = part;
      const mapped = await work.mapSegment({
        map,
        work: this.#work,
        source: { path, baseOffset, nextOffset, bytes },
        fromOffset: to,
        number,
        of: this.#isKeyed ? 'keys' : 'records',
        layOut,
      });
      layOut = undefined;
      number += mapped.records;
      part.mapped = mapped.records;
      to = mapped.nextOffset;
      this.#progress(bytes);
      if (mapped.isFull) return { to, records: number };
      if (mapped.problem !== undefined) this.#skip(part.segment, mapped.problem);
      to = part.nextOffset;
    }
    if (layOut !== undefined) layOutKeyMap(this.#parts.context.memory, map, { ...plan, records: 1 });
    return { to, records: number };
  }

  async #rewriteAll(map: Region, parts: Part[], from: number, to: number): Promise<void> {
    const { options } = this.#parts;
    let mayForget = true;
    let run: Part[] = [];
    this.#estimate(map, parts);
    const flush = async (): Promise<void> => {
      for (const group of groupSegments(run, options.segmentBytes)) {
        mayForget = await this.#rewriteGroup(map, group, from, to, mayForget);
      }
      run = [];
    };
    for (const part of parts) {
      if (part.baseOffset >= to && to > from) break;
      // What is the same lies in what was compared.
      if (!this.#isKeyed && part.nextOffset <= from) continue;
      // What a dry run leaves where it is would be counted again.
      if (!this.#isKeyed && this.#request.dryRun && part.baseOffset < this.#countedTo) continue;
      if (this.#skipped.has(part.segment)) {
        await flush();
        // What deletions behind it delete may be in it.
        mayForget = false;
      } else {
        run.push(part);
      }
    }
    await flush();
    await this.#putting;
  }

  /** Tells from what was marked how large segments will be. */
  #estimate(map: Region, parts: readonly Part[]): void {
    const { memory } = this.#parts.context;
    for (const part of parts) {
      const { baseOffset, nextOffset, absentOffsets } = part.segment;
      const records = nextOffset - baseOffset - absentOffsets;
      // Of one that was compacted before nobody knows what has been superseded since.
      if (part.mapped < records) continue;
      const left = part.mapped - countMarked(memory, map, part.number, part.number + part.mapped);
      part.estimatedBytes = Math.ceil((part.bytes * left) / Math.max(1, part.mapped));
    }
  }

  /** @returns whether deletions behind the group may be forgotten */
  async #rewriteGroup(
    map: Region,
    group: readonly Part[],
    from: number,
    to: number,
    mayForget: boolean,
  ): Promise<boolean> {
    if (group.length === 0) return mayForget;
    this.#check();
    const args = this.#argsOf(map, group, from, to, mayForget);
    const rewritten = await this.#parts.work.rewriteSegments(args).catch((error: unknown) => {
      // Retention was faster.
      if (isVarveError(error, 'NOT_FOUND')) return undefined;
      throw error;
    });
    if (rewritten === undefined) return mayForget;
    if (rewritten.broken !== undefined) {
      const { source, problem } = rewritten.broken;
      this.#skip((group[source] as Part).segment, problem);
      const before = await this.#rewriteGroup(map, group.slice(0, source), from, to, mayForget);
      return (await this.#rewriteGroup(map, group.slice(source + 1), from, to, false)) && before;
    }
    for (const { bytes } of group) this.#progress(bytes);
    // While it is put in place, the next one is written.
    const before = this.#putting;
    this.#putting = before.then(() => this.#put(group, args, rewritten));
    this.#putting.catch(() => undefined);
    await before;
    return mayForget;
  }

  #argsOf(map: Region, group: readonly Part[], from: number, to: number, mayForget: boolean): RewriteArgs {
    const { options, context, clock } = this.#parts;
    return {
      map,
      work: this.#work,
      sources: group.map(({ path, baseOffset, nextOffset, bytes, number }) => {
        return { path, baseOffset, nextOffset, bytes, number };
      }),
      mappedFrom: from,
      mappedTo: to,
      isKeyed: this.#isKeyed,
      nowMs: clock.now(),
      deleteRetentionMs: options.deleteRetentionMs,
      mayForget,
      directory: context.directory,
      batchBytes: options.sealedBatchBytes,
      indexIntervalBytes: options.indexIntervalBytes,
      compression: sealedCodec(options.compression),
      createdAtMs: Math.max(...group.map(({ createdAtMs }) => createdAtMs)),
      dryRun: this.#request.dryRun,
      sampleBytes: undefined,
    };
  }

  async #put(group: readonly Part[], args: RewriteArgs, rewritten: Rewritten): Promise<void> {
    const { segments } = this.#parts;
    const { superseded, forgotten, begun, state } = rewritten;
    const before = group.reduce((sum, { bytes }) => sum + bytes, 0);
    const isSmaller = (group.length > 1 && state.bytes <= before) || isMuchSmaller(before, state.bytes);
    const isWorthIt = superseded + forgotten + begun > 0 || isSmaller;
    if (isWorthIt && !this.#request.dryRun) {
      await syncCleaned(this.#parts.context.vfs, args);
      const sources = group.map(({ segment }) => segment);
      if ((await segments.replace(sources, state)) === undefined) return;
    }
    if (!isWorthIt) {
      if (!this.#request.dryRun) await removeCleaned(this.#parts.context.vfs, args);
      return;
    }
    this.#report.rewrote(group.length, before, rewritten, this.#isKeyed);
  }

  #progress(bytes: number): void {
    this.#doneBytes += bytes;
    const total = this.#parts.segments.list.reduce((sum, segment) => sum + segment.bytes, 0);
    this.#request.onProgress?.(this.#doneBytes, Math.max(this.#doneBytes, total + this.#plan.dirtyBytes));
  }

  #check(): void {
    this.#parts.check();
    this.#request.signal?.throwIfAborted();
  }
}
