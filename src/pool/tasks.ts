/**
 * What worker threads can do: a closed list of functions over the shared memory. They are synchronous,
 * take plain values (addresses among them), return plain values, and do the same on any thread.
 *
 * @module
 */

import type { MemoryView } from '../memory/memory.ts';
import { encodeWindow, WINDOW_WORK_BYTES, type WindowArgs, type WindowResult } from '../parse/window.ts';
import { GREP, type GrepResult, type GrepSpec } from '../scan/grep.ts';
import { runScan, SCAN_BYTES, type ScanArgs } from '../scan/scanner.ts';

/** What a task is given besides its arguments. */
export interface TaskContext {
  /** The memory as this thread sees it. */
  memory: MemoryView;
  /** Address of the task's working memory, aligned to 64 bytes; nobody else's until it is done. */
  work: number;
}

/** What each task takes and returns. */
interface TaskTypes {
  /** Text into record batches; see `encodeWindow`. */
  encodeWindow: { args: WindowArgs; result: WindowResult };
  /** Lines of a file that have what is searched for; see `GREP`. */
  grep: { args: ScanArgs<GrepSpec>; result: GrepResult };
}

export type TaskName = keyof TaskTypes;
export type TaskArgs<N extends TaskName> = TaskTypes[N]['args'];
export type TaskResult<N extends TaskName> = TaskTypes[N]['result'];

type Tasks = {
  [N in TaskName]: {
    /** How much working memory it needs. */
    workBytes: number;
    run(context: TaskContext, args: TaskArgs<N>): TaskResult<N>;
  };
};

export const TASKS: Tasks = {
  encodeWindow: {
    workBytes: WINDOW_WORK_BYTES,
    run: ({ memory, work }, args) => encodeWindow(memory, work, args),
  },
  grep: {
    workBytes: SCAN_BYTES,
    run: ({ memory, work }, args) => runScan(memory, work, args, GREP),
  },
};

/** Runs the task of a name on this thread. */
export function runTask<N extends TaskName>(context: TaskContext, name: N, args: TaskArgs<N>): TaskResult<N> {
  return TASKS[name].run(context, args);
}
