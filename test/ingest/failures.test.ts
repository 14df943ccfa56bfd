import { Readable } from 'node:stream';

import { afterEach, describe, expect, it, onTestFinished } from 'vitest';

import { isVarveError } from '../../src/errors.ts';
import { type IngestOptions, ingestFile } from '../../src/ingest/ingest.ts';
import { IngestError } from '../../src/ingest/report.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { generateHdfsSample } from '../../src/parse/sample.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { createFaultVfs, type FaultRule } from '../../src/testing/fault.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { linesOf } from '../kit/batches.ts';
import { type Bench, createBench, FILE, writeFile } from '../kit/ingesting.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const runtime: Runtime = createRuntime({ memoryBytes: 64 * MIB, threads: 1 });
const content: Buffer = Buffer.concat([...generateHdfsSample({ bytes: MIB })]);
const lines: string[] = linesOf(content.toString('latin1'));

async function bench(options?: LogOptions, vfs?: Vfs): Promise<Bench> {
  const made = await createBench(runtime, options, vfs);
  onTestFinished(() => made.close().catch(() => undefined));
  return made;
}

async function failureOf(promise: Promise<unknown>): Promise<IngestError> {
  const failure: unknown = await promise.then(
    () => new Error('there was no failure'),
    (error: unknown) => error,
  );
  if (!(failure instanceof IngestError)) throw failure;
  return failure;
}

/** What the log holds is the beginning of the file, and the report says how much of it. */
async function expectBeginning({ log, records }: Bench, { report }: IngestError): Promise<void> {
  const values = (await records()).map(({ value }) => value);
  expect(values).toEqual(lines.slice(0, values.length));
  expect(log.nextOffset).toBe(values.length);
  expect(report.records).toBe(values.length);
}

afterEach(() => {
  const owners = runtime.memory.slabs.inUse().map(({ owner }) => owner);
  expect(owners.filter((owner) => owner.startsWith('ingest') || owner.startsWith('task'))).toEqual([]);
});

describe('ingestFile, where something goes wrong', () => {
  it('does not begin where there is no file to read', async () => {
    const { vfs, log } = await bench();
    await vfs.mkdir('folder');
    const options = { runtime, vfs };
    await expect(ingestFile(log, 'missing', options)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      file: 'missing',
    });
    await expect(ingestFile(log, 'folder', options)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      file: 'folder',
    });
    const denied = createFaultVfs(vfs, [{ operation: 'open', error: 'EACCES' }]);
    await writeFile(vfs, FILE, 'a');
    const failed = ingestFile(log, FILE, { runtime, vfs: denied });
    await expect(failed).rejects.toSatisfy((error) => isVarveError(error, 'READ_ONLY'));
    await expect(ingestFile(log, '/dev/null', { runtime })).rejects.toThrow(/no regular file/);
    expect(log.nextOffset).toBe(0);
  });

  it('reads a file that grows as far as it went at the beginning', async () => {
    const { vfs, log } = await bench();
    await writeFile(vfs, FILE, content);
    const growing = await vfs.open(FILE, 'write');
    let bytes = content.length;
    const report = await ingestFile(log, FILE, {
      runtime,
      vfs,
      windowBytes: 16 * KIB,
      onProgress: () => {
        growing.writeSync(content, bytes);
        bytes += content.length;
      },
    });
    await growing.close();
    expect(report).toMatchObject({ bytes: content.length, lines: lines.length });
    expect(bytes).toBeGreaterThan(2 * content.length);
  });

  it('says so where a file becomes shorter, and keeps the lines that it read', async () => {
    const made = await bench();
    const { vfs, log } = made;
    await writeFile(vfs, FILE, content);
    const shrinking = await vfs.open(FILE, 'write');
    const failure = await failureOf(
      ingestFile(log, FILE, {
        runtime,
        vfs,
        windowBytes: 16 * KIB,
        onProgress: () => void shrinking.truncate(300_000),
      }),
    );
    await shrinking.close();
    expect(failure.code).toBe('IO');
    expect(failure.message).toMatch(
      /became shorter while it was read: it had 1048\d\d\d bytes and ends after 300000/,
    );
    await expectBeginning(made, failure);
    expect(failure.report.records).toBeGreaterThan(10);
    expect(failure.offsets).toEqual({ first: 0, last: failure.report.records - 1 });
  });

  it('says how many lines are in the log where a read fails', async () => {
    const rules: FaultRule[] = [{ operation: 'read', path: /lines/, skip: 20, error: 'EIO' }];
    const made = await bench({}, createFaultVfs(createMemoryVfs(), rules));
    const failure = await failureOf(made.ingest(content, { windowBytes: 16 * KIB }));
    expect(failure.code).toBe('IO');
    expect(failure.report.records).toBeGreaterThan(2000);
    expect(failure.message).toContain(`${failure.report.records} lines of it are in the log`);
    await expectBeginning(made, failure);
  });

  it('says how many lines are in the log where the disk is full', async () => {
    for (const [skip, afterBytes] of [
      [0, 0],
      [3, 0],
      [3, 5000],
      [10, 0],
    ] as const) {
      const rules: FaultRule[] = [
        { operation: 'write', path: /logs.*\.log$/, skip, error: 'ENOSPC', afterBytes },
      ];
      const vfs = createFaultVfs(createMemoryVfs(), rules);
      // Windows go to two segments now and then.
      const made = await bench({ segmentBytes: 100_000 }, vfs);
      const failure = await failureOf(made.ingest(content, { windowBytes: 32 * KIB }));
      expect(failure.code).toBe('NO_SPACE');
      await expectBeginning(made, failure);
      expect(failure.report.records > 0).toBe(skip > 0);
      rules.length = 0;
      // The log takes more when there is room again.
      expect(await made.log.append({ value: 'after' })).toBe(failure.report.records);
    }
  });

  it('fails once and leaks nothing, whichever operation of the disk goes wrong', async () => {
    let isDone = false;
    for (let skip = 0; !isDone; skip++) {
      const vfs = createMemoryVfs();
      const made = await bench({ segmentBytes: 60_000 }, vfs);
      await writeFile(vfs, FILE, content.subarray(0, 200_000));
      const faulty = createFaultVfs(vfs, [{ skip, times: 1, path: /lines/, error: 'EIO' }]);
      try {
        await ingestFile(made.log, FILE, { runtime, vfs: faulty, windowBytes: 16 * KIB });
        isDone = true;
      } catch (error) {
        expect(isVarveError(error, 'IO')).toBe(true);
        if (error instanceof IngestError) await expectBeginning(made, error);
      }
      expect(faulty.openFiles).toBe(0);
      expect(skip).toBeLessThan(100);
    }
  });

  it('stops when it is told to, and keeps what is in the log', async () => {
    const { ingest, log, records } = await bench();
    const controller = new AbortController();
    const reason = new Error('enough');
    const failed = ingest(content, {
      windowBytes: 16 * KIB,
      signal: controller.signal,
      onProgress: (bytes) => bytes > 100_000 && controller.abort(reason),
    });
    await expect(failed).rejects.toBe(reason);
    const values = (await records()).map(({ value }) => value);
    expect(values.length).toBeGreaterThan(500);
    expect(values.length).toBeLessThan(lines.length);
    expect(values).toEqual(lines.slice(0, log.nextOffset));
    await expect(ingest(content, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('stops while it waits for a stream that says nothing', async () => {
    const { log } = await bench();
    const controller = new AbortController();
    const silent = new Readable({ read: () => undefined });
    silent.push('a line\n');
    const failed = ingestFile(log, silent, { runtime, signal: controller.signal });
    setImmediate(() => controller.abort());
    await expect(failed).rejects.toMatchObject({ name: 'AbortError' });
    expect(silent.destroyed).toBe(true);
  });

  it('says what went wrong with a stream', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield content.subarray(0, 100_000);
      await Promise.resolve();
      throw Object.assign(new Error('the cable was cut'), { code: 'ECONNRESET' });
    }
    const made = await bench();
    const failure = await failureOf(ingestFile(made.log, broken(), { runtime, windowBytes: 16 * KIB }));
    expect(failure).toMatchObject({ code: 'IO', cause: { cause: { code: 'ECONNRESET' } } });
    await expectBeginning(made, failure);
    expect(failure.report.records).toBeGreaterThan(100);
    const wrong = ingestFile(made.log, Readable.from([{ not: 'bytes' }]), { runtime });
    await expect(wrong).rejects.toThrow(/a stream of text yields bytes or strings, not object/);
  });

  it('fails where there is no memory to read into', async () => {
    const { ingest, log } = await bench();
    const hoard = [32 * MIB, 16 * MIB, 8 * MIB, 4 * MIB, 2 * MIB].map((bytes) =>
      runtime.memory.slabs.tryAllocate(bytes, 'hoard'),
    );
    const failure = await failureOf(ingest(content, { windowBytes: 16 * MIB }));
    for (const slab of hoard) slab?.release();
    expect(failure.code).toBe('NO_MEMORY');
    expect(log.nextOffset).toBe(0);
  });

  it("passes on what the caller's own callback throws", async () => {
    const { ingest } = await bench();
    const error = new Error('no terminal');
    const options: Partial<IngestOptions> = {
      onProgress: () => {
        throw error;
      },
    };
    await expect(ingest(content, options)).rejects.toBe(error);
  });

  it('fails where the log is closed under it', async () => {
    const made = await bench();
    const failure = await failureOf(
      made.ingest(content, { windowBytes: 16 * KIB, onProgress: () => void made.log.close() }),
    );
    expect(failure.code).toBe('CLOSED');
  });
});
