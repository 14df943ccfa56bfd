import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';

import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { isVarveError } from '../../src/errors.ts';
import { Memory } from '../../src/memory/memory.ts';
import type { Slab } from '../../src/memory/slabs.ts';
import { WINDOW_WORK_BYTES, type WindowArgs } from '../../src/parse/window.ts';
import { Pool } from '../../src/pool/pool.ts';
import { decodeBatches } from '../kit/batches.ts';
import { mixedLines } from '../kit/hdfs-lines.ts';
import { createRandom } from '../kit/random.ts';

const MIB = 1 << 20;
const content = Buffer.from(mixedLines(createRandom(50), 6000).join('\n'), 'latin1');

const memory = Memory.create(96 * MIB);
const pools: Pool[] = [];
const slabs: Slab[] = [];
/** Every worker thread that this process starts, so that one can be killed. */
const workers: Worker[] = [];
process.on('worker', (worker: Worker) => workers.push(worker));

function createPool(options: ConstructorParameters<typeof Pool>[1]): Pool {
  const pool = new Pool(memory, options);
  pools.push(pool);
  return pool;
}

function allocate(bytes: number): Slab {
  const slab = memory.slabs.allocate(bytes, 'test');
  slabs.push(slab);
  return slab;
}

/** A task: the text, or so many copies of it, into batches. */
function windowArgs(copies = 1): WindowArgs {
  const text = allocate(content.length * copies + 16);
  const out = allocate(content.length * copies * 2);
  for (let i = 0; i < copies; i++) memory.u8.set(content, text.address + i * content.length);
  return {
    format: 'hdfs',
    options: {},
    text: text.address,
    textBytes: content.length * copies,
    last: true,
    out: out.address,
    outBytes: out.bytes,
    batchBytes: 16_384,
    recordBytesMax: MIB,
    carried: 1,
    samples: 5,
  };
}

/** What a promise is rejected with. */
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );

const batchesOf = (args: WindowArgs, outBytes: number): Buffer =>
  Buffer.from(memory.u8.slice(args.out, args.out + outBytes));

describe('a pool', () => {
  beforeAll(() => {
    const worker = new URL('../../dist/pool/worker.js', import.meta.url);
    if (!existsSync(worker)) throw new Error('the worker is not built: run npm run build');
  });

  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close();
    for (const slab of slabs.splice(0)) slab.release();
    expect(memory.slabs.inUse()).toEqual([]);
    workers.length = 0;
  });

  it('does the same on a thread as on the one that calls it', async () => {
    const inline = windowArgs();
    const threaded = windowArgs();
    const expected = await createPool({ threads: 0 }).run('encodeWindow', inline);
    const result = await createPool({ threads: 1 }).run('encodeWindow', threaded);
    expect(result).toEqual(expected);
    expect(expected.records).toBeGreaterThan(5000);
    expect(batchesOf(threaded, result.outBytes).equals(batchesOf(inline, expected.outBytes))).toBe(true);
    expect(decodeBatches(memory, threaded.out, result.outBytes)).toHaveLength(result.batches);
  });

  it('runs tasks on several threads at once, each with memory of its own', async () => {
    const pool = createPool({ threads: 3 });
    const all = Array.from({ length: 12 }, () => windowArgs());
    const results = await Promise.all(all.map((args) => pool.run('encodeWindow', args)));
    const [first] = results;
    const expected = batchesOf(all[0] as WindowArgs, first?.outBytes ?? 0);
    for (const [i, args] of all.entries()) {
      expect(results[i]).toEqual(first);
      expect(batchesOf(args, expected.length).equals(expected)).toBe(true);
    }
    expect(pool.metrics()).toMatchObject({ threads: 3, running: 0, queued: 0, completed: 12, failed: 0 });
    expect(pool.metrics().utilization).toBeGreaterThan(0);
    expect(workers.length).toBeLessThanOrEqual(3);
  });

  it.each([0, 1])('rejects with what a task throws, and goes on (%i threads)', async (threads) => {
    const pool = createPool({ threads });
    const args = windowArgs();
    const outside = { ...args, text: memory.bytes.byteLength - 8 };
    await expect(pool.run('encodeWindow', outside)).rejects.toThrow(/out of bounds/);
    const unknown = { ...args, format: 'nonsense' as 'hdfs' };
    await expect(pool.run('encodeWindow', unknown)).rejects.toBeInstanceOf(TypeError);
    expect((await pool.run('encodeWindow', args)).records).toBeGreaterThan(5000);
    expect(pool.metrics()).toMatchObject({ completed: 1, failed: 2 });
  });

  it('runs a task on the calling thread when it is asked to', async () => {
    const pool = createPool({ threads: 2 });
    const args = windowArgs();
    expect((await pool.runHere('encodeWindow', args)).records).toBeGreaterThan(5000);
    const unknown = { ...args, format: 'nonsense' as 'hdfs' };
    await expect(pool.runHere('encodeWindow', unknown)).rejects.toBeInstanceOf(TypeError);
    expect(workers).toHaveLength(0);
  });

  it('starts no thread before it is needed', async () => {
    const pool = createPool({ threads: 2 });
    expect(workers).toHaveLength(0);
    expect(pool.metrics().utilization).toBe(0);
    await pool.run('encodeWindow', windowArgs());
    expect(workers).toHaveLength(1);
  });

  it('rejects the task of a thread that is killed, and starts another thread', async () => {
    const pool = createPool({ threads: 1 });
    await pool.run('encodeWindow', windowArgs());
    const long = windowArgs(12);
    const running = pool.run('encodeWindow', long);
    const waiting = pool.run('encodeWindow', windowArgs());
    const failure = failureOf(running);
    await workers[0]?.terminate();
    expect(isVarveError(await failure, 'IO')).toBe(true);
    expect((await waiting).records).toBeGreaterThan(5000);
    expect(workers).toHaveLength(2);
    expect(pool.metrics()).toMatchObject({ completed: 2, failed: 1 });
  });

  it("keeps the memory of a killed thread's task until the thread is at its end", async () => {
    const pool = createPool({ threads: 1 });
    await pool.run('encodeWindow', windowArgs());
    const thread = workers[0] as Worker;
    let hasEnded = false;
    thread.once('exit', () => {
      hasEnded = true;
    });
    const inUse = memory.slabs.inUseBytes;
    const running = pool.run('encodeWindow', windowArgs(12)).catch(() => undefined);
    const released = memory.slabs.released().then(() => hasEnded);
    void thread.terminate();
    expect(await released).toBe(true);
    await running;
    expect(memory.slabs.inUseBytes).toBeGreaterThan(inUse);
  });

  it('rejects, and does not wait for ever, where a thread cannot start', async () => {
    const pool = createPool({ threads: 2 });
    const kill = (worker: Worker): void => void worker.terminate();
    process.on('worker', kill);
    const tasks = [1, 2, 3, 4].map(() => pool.run('encodeWindow', windowArgs()));
    const outcomes = await Promise.allSettled(tasks);
    process.off('worker', kill);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'IO' } });
    }
    expect((await pool.run('encodeWindow', windowArgs())).records).toBeGreaterThan(5000);
  });

  it('takes a task back that waits when its signal aborts', async () => {
    const pool = createPool({ threads: 1 });
    const controller = new AbortController();
    const { signal } = controller;
    const running = pool.run('encodeWindow', windowArgs());
    const waiting = pool.run('encodeWindow', windowArgs(), { signal });
    expect(pool.metrics()).toMatchObject({ running: 1, queued: 1 });
    const reason = new Error('enough');
    controller.abort(reason);
    expect(pool.metrics()).toMatchObject({ running: 1, queued: 0 });
    await expect(waiting).rejects.toBe(reason);
    await expect(running).resolves.toMatchObject({ unparsed: expect.any(Number) });
    await expect(pool.run('encodeWindow', windowArgs(), { signal })).rejects.toBe(reason);
  });

  it('waits for a task that runs when its signal aborts, since it writes to memory', async () => {
    const pool = createPool({ threads: 1 });
    const controller = new AbortController();
    const running = pool.run('encodeWindow', windowArgs(8), { signal: controller.signal });
    controller.abort();
    const failure = failureOf(running);
    expect(pool.metrics().running).toBe(1);
    expect(await failure).toMatchObject({ name: 'AbortError' });
    expect(pool.metrics()).toMatchObject({ running: 0, completed: 1 });
  });

  it('refuses more tasks than may wait', async () => {
    const pool = createPool({ threads: 1, maxQueue: 2 });
    const args = windowArgs();
    const tasks = [1, 2, 3].map(() => pool.run('encodeWindow', args));
    await expect(pool.run('encodeWindow', args)).rejects.toMatchObject({ code: 'BACKPRESSURE' });
    await Promise.all(tasks);
    await pool.run('encodeWindow', args);
  });

  it('waits for the memory of tasks that run, and fails where there is none', async () => {
    const args = windowArgs();
    const pool = createPool({ threads: 2 });
    const enough = memory.slabs.allocate(MIB, 'hoard');
    const hoard: Slab[] = [];
    for (let bytes = 64 * MIB; bytes >= 16_384; bytes /= 2) {
      for (let slab = take(bytes); slab !== undefined; slab = take(bytes)) hoard.push(slab);
    }
    function take(bytes: number): Slab | undefined {
      return memory.slabs.tryAllocate(bytes, 'hoard');
    }
    await expect(pool.run('encodeWindow', args)).rejects.toMatchObject({ code: 'NO_MEMORY' });
    expect(enough.bytes).toBeLessThan(2 * WINDOW_WORK_BYTES);
    enough.release();
    const results = await Promise.all([1, 2, 3].map(() => pool.run('encodeWindow', args)));
    expect(results.every(({ records }) => records > 5000)).toBe(true);
    for (const slab of hoard) slab.release();
  });

  it('has memory for one task at a time where somebody has it kept, though there is none', async () => {
    const args = windowArgs();
    const pool = createPool({ threads: 2 });
    const letGo = [pool.reserve(WINDOW_WORK_BYTES), pool.reserve(WINDOW_WORK_BYTES)];
    const hoard: Slab[] = [];
    const take = (bytes: number): Slab | undefined => memory.slabs.tryAllocate(bytes, 'hoard');
    for (let bytes = 64 * MIB; bytes >= 16_384; bytes /= 2) {
      for (let slab = take(bytes); slab !== undefined; slab = take(bytes)) hoard.push(slab);
    }
    const results = await Promise.all([1, 2, 3].map(() => pool.run('encodeWindow', args)));
    expect(results.every(({ records }) => records > 5000)).toBe(true);
    letGo[0]?.();
    letGo[0]?.();
    expect((await pool.run('encodeWindow', args)).records).toBeGreaterThan(5000);
    const last = pool.run('encodeWindow', args);
    letGo[1]?.();
    // It is given back when the task that has it has ended.
    expect((await last).records).toBeGreaterThan(5000);
    expect(memory.slabs.inUse().map(({ owner }) => owner)).not.toContain('reserve of tasks');
    for (const slab of hoard) slab.release();
  });

  it('lets what runs come to its end when it is closed, and gives up what waits', async () => {
    const pool = createPool({ threads: 1 });
    const running = pool.run('encodeWindow', windowArgs());
    const waiting = pool.run('encodeWindow', windowArgs());
    const failure = failureOf(waiting);
    const closing = pool.close();
    expect(pool.close()).toBe(closing);
    await closing;
    expect(await failure).toMatchObject({ code: 'CLOSED' });
    expect((await running).records).toBeGreaterThan(5000);
    await expect(pool.run('encodeWindow', windowArgs())).rejects.toMatchObject({ code: 'CLOSED' });
    await new Pool(memory).close();
  });

  it('does not keep the process alive when its threads have nothing to do', () => {
    const program = `
      const { createRuntime } = await import(${JSON.stringify(new URL('../../dist/runtime.js', import.meta.url).href)});
      const { memory, pool } = createRuntime({ memoryBytes: ${16 * MIB}, threads: 2 });
      const text = memory.slabs.allocate(100_000, 'text').address;
      const out = memory.slabs.allocate(100_000, 'out').address;
      const args = { format: 'plain', options: {}, text, textBytes: 5, last: true, out, outBytes: 100_000 };
      const more = { batchBytes: 1000, recordBytesMax: 1000, carried: 0, samples: 0 };
      const [first] = await Promise.all([1, 2].map(() => pool.run('encodeWindow', { ...args, ...more })));
      console.log(first.records);
    `;
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(ran).toMatchObject({ status: 0, stdout: '1\n', signal: null });
  });

  it('refuses options that make no sense', () => {
    for (const options of [{ threads: -1 }, { threads: 1.5 }, { maxQueue: 0 }, { thread: 1 }]) {
      expect(() => new Pool(memory, options)).toThrow(/must be|has no option/);
    }
  });
});
