/**
 * What a worker thread runs: one task a message, on the shared memory.
 *
 * @module
 */

import { workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { SCRATCH_BYTES } from '../memory/layout.ts';
import { MemoryView, type SharedMemory } from '../memory/memory.ts';
import { nodeVfs } from '../vfs/node.ts';
import { type PackedError, packError } from './packed-error.ts';
import { loadTask, type TaskArgs, type TaskName, type TaskResult } from './tasks.ts';

/** What a thread is started with. */
export interface WorkerData {
  memory: SharedMemory;
  /** The task that it is started for: its code is loaded before the first message comes. */
  first: TaskName;
}

/** A task, as it is posted. */
export interface TaskMessage<N extends TaskName> {
  name: N;
  args: TaskArgs<N>;
  /** Address of memory for the kernels (`SCRATCH_BYTES`), and behind it for the task. */
  scratch: number;
}

export type TaskAnswer<N extends TaskName> = { value: TaskResult<N> } | { error: PackedError };

const data = workerData as WorkerData;
let memory: MemoryView | undefined;

await loadTask(data.first);

/** Runs a task; it never throws, because what is thrown here would arrive without its class. */
export async function run<N extends TaskName>(message: TaskMessage<N>): Promise<TaskAnswer<N>> {
  const { name, args, scratch } = message;
  try {
    if (memory === undefined) memory = MemoryView.attach(data.memory, scratch);
    else memory.useScratch(scratch);
    const context = { memory, work: scratch + SCRATCH_BYTES, vfs: nodeVfs, clock: systemClock };
    const task = await loadTask(name);
    return { value: await task.run(context, args) };
  } catch (error) {
    return { error: packError(error) };
  }
}
