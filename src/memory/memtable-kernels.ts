/**
 * The kernels of memtables: encoded operations become cells in an arena, an index by hash finds the cells of a
 * key, and runs put them in order when somebody asks for that.
 *
 * What is said in `kernels.ts` about implementations, addresses and numbers holds here too. The structures are
 * drawn in `lsm-layout.ts`, the format of operations in `src/lsm/operations.ts`. A snapshot is a sequence
 * number: what is older, and not what is as old, is seen.
 *
 * @module
 */

export interface MemtableKernels {
  /**
   * Checks encoded operations, and counts what each target's memtable needs room for. Operations on trees that
   * are no target are passed over.
   *
   * @param targets `count` targets; their needs are set
   * @returns how many operations there are, or -1 where the bytes are none
   */
  measureOperations(operations: number, length: number, targets: number, count: number): number;

  /**
   * Applies operations that `measureOperations` has accepted to the memtables of the targets, in their order.
   * All have one sequence number, which is not below any that a memtable has. Of several on one key, the last
   * counts; a deletion of a range deletes what is older, and what was written before it in the same batch.
   * The caller guarantees room for what was counted, `SLACK_BYTES` behind the arena, and that no index
   * becomes full.
   *
   * @returns how many were applied: those of a target, unless it has them in tables
   */
  applyOperations(
    operations: number,
    length: number,
    sequence: number,
    targets: number,
    count: number,
  ): number;

  /**
   * Moves the slots of an index to another one, which is larger, empty and the memtable's already.
   *
   * @param slots where they are, `count` of them
   */
  growMemtable(slots: number, count: number, memtable: number): void;

  /**
   * Takes the cells of a chunk into a memtable again, whose index, ranges and counts were cleared: those below
   * `sequence`. The others count no more.
   *
   * @returns how many were taken
   */
  indexCells(memtable: number, from: number, to: number, sequence: number): number;

  /**
   * Writes the addresses of all cells of a chunk that are puts or deletions of a key.
   *
   * @param run room for as many
   * @returns how many
   */
  gatherCells(from: number, to: number, run: number): number;

  /**
   * Sorts cells into a run.
   *
   * @param scratch `SORT_SCRATCH_BYTES`, and twice `SORT_ROW_BYTES` a cell
   */
  sortRun(run: number, count: number, scratch: number): void;

  /** Merges two runs into one, which overlaps neither. */
  mergeRuns(a: number, aCount: number, b: number, bCount: number, out: number): void;

  /**
   * Looks up the newest cell of a key that a snapshot sees.
   *
   * @param found what is found (`FOUND_BYTES`); of a deletion only its sequence number
   * @returns `KIND_PUT`, `KIND_DELETE` where it is deleted, also as one of a range, or `KIND_NONE`
   */
  memtableGet(memtable: number, key: number, keyLength: number, snapshot: number, found: number): number;
}
