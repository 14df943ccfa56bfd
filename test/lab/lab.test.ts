import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { type AccidentOptions, causeAccidents, isKept } from '../../src/lab/accident.ts';
import { type LabOptions, runLab } from '../../src/lab/lab.ts';
import { policyStrategy, STORES } from '../../src/lab/matrix.ts';
import { seededRandom } from '../../src/random.ts';
import { createRuntime } from '../../src/runtime.ts';
import { HAS_DSYNC } from '../../src/vfs/dsync.ts';

const MIB = 1024 * 1024;

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'varve-lab-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function options(path: string, more: Partial<LabOptions> = {}): LabOptions {
  return {
    directory: path,
    strategies: [
      policyStrategy({ mode: 'always' }),
      policyStrategy({ mode: 'always' }, { preallocate: true, dsync: HAS_DSYNC }),
      policyStrategy({ mode: 'interval', intervalMs: 10 }),
      policyStrategy({ mode: 'never' }),
    ],
    recordBytes: [100],
    clients: [4],
    rates: [300],
    budgetMs: 1,
    repeats: 2,
    seed: 7,
    accidents: false,
    clock: systemClock,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    varve: '0.0.0',
    command: 'a command',
    ...more,
  };
}

describe('a run of the laboratory', () => {
  test('measures every cell as often as asked, and leaves nothing behind', { timeout: 60_000 }, async () => {
    const path = directory();
    mkdirSync(join(path, 'varve-lab-1-killed'));
    const steps: number[] = [];
    const result = await runLab(options(path, { onProgress: (done) => steps.push(done) }));
    expect(readdirSync(path)).toEqual(['varve-lab-1-killed']);
    expect(result.warnings.join()).toContain('varve-lab-1-killed');
    expect(result.cells).toHaveLength(6 + 4);
    expect(steps).toEqual(Array.from({ length: 30 }, (_, i) => i));
    for (const cell of result.cells) {
      expect(cell.recordsPerSecondSamples).toHaveLength(2);
      expect(cell.recordsPerSecond).toBeGreaterThan(0);
      expect(cell.latencyMs.p50).toBeGreaterThan(0);
      expect(cell.latencyMs.max).toBeGreaterThanOrEqual(cell.latencyMs.p99);
    }
    const find = (key: string) => result.cells.find((cell) => cell.key === `${key} | 100 B | 4 clients`);
    const always = find('always');
    // Four clients that wait for their sync share it, and never more than four do.
    expect(always?.recordsPerSync).toBeGreaterThan(1);
    expect(always?.recordsPerSync).toBeLessThanOrEqual(4.01);
    expect(always?.risk.bytesMax).toBe(0);
    expect(always?.shareOfDisk).toBeGreaterThan(0);
    expect(always?.writeAmplification).toBeGreaterThan(1);
    const never = find('never');
    expect(never?.syncsPerSecond).toBe(0);
    expect(never?.risk.msMax).toBeGreaterThan(20);
    expect(never?.promisedLossMs).toBeNull();
    expect(find('interval:10ms')?.promisedLossMs).toBe(10);
    expect(JSON.parse(JSON.stringify(result)).cells).toHaveLength(10);
  });

  test('measures stores by their write-ahead log', { timeout: 60_000 }, async () => {
    const path = directory();
    const strategies = STORES.map((store) => policyStrategy({ mode: 'always' }, { store }));
    const result = await runLab(options(path, { strategies, rates: [], repeats: 1 }));
    expect(readdirSync(path)).toEqual([]);
    const cells = result.cells.filter(({ strategy }) => strategy.kind === 'policy');
    expect(cells.map(({ strategy }) => strategy.id)).toEqual([
      'always',
      'tree always',
      'kv always',
      'events always',
    ]);
    for (const { recordsPerSecond, recordsPerSync, writeAmplification, risk } of cells) {
      expect(recordsPerSecond).toBeGreaterThan(0);
      // Four clients that wait for their sync share it, and never more than four do.
      expect(recordsPerSync).toBeLessThanOrEqual(4.01);
      expect(writeAmplification).toBeGreaterThan(1);
      expect(risk.bytesMax).toBe(0);
    }
    // A key, and what an operation says of itself, come on top of a record.
    expect(cells[1]?.writeAmplification).toBeGreaterThan(cells[0]?.writeAmplification ?? 9);
    expect(result.accidents).toEqual([]);
  });

  test('ends at once when it is aborted, and cleans up', async () => {
    const path = directory();
    const controller = new AbortController();
    const running = runLab(
      options(path, { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) }),
    );
    await expect(running).rejects.toThrow('enough');
    expect(readdirSync(path)).toEqual([]);
  });

  test('a directory that cannot be written to is an error, not a result', async () => {
    await expect(runLab(options('/proc/nowhere'))).rejects.toMatchObject({ name: 'VarveError' });
  });
});

describe('power cuts', () => {
  function accidents(): AccidentOptions {
    const { memory } = createRuntime({ memoryBytes: 32 * MIB });
    const signal = new AbortController().signal;
    return { memory, clock: systemClock, durationMs: 300, cuts: 6, random: seededRandom(3), signal };
  }

  test('take nothing acknowledged from a policy that promises so', async () => {
    const accident = await causeAccidents(policyStrategy({ mode: 'always' }), accidents());
    expect(accident.acknowledged).toBeGreaterThan(0);
    expect(accident.states).toBe(accident.cuts * 3);
    expect(accident).toMatchObject({ lostRecords: 0, lostMs: 0, isKept: true, promisedLossMs: 0 });
  });

  test('take acknowledged records from a policy that leaves it to the system', async () => {
    const accident = await causeAccidents(policyStrategy({ mode: 'never' }), accidents());
    expect(accident.lostRecords).toBeGreaterThan(0);
    expect(accident.lostMs).toBeGreaterThan(0);
    expect(accident).toMatchObject({ isKept: true, promisedLossMs: null });
  });

  test('a promise of nothing is broken by one record, any other by age', () => {
    const cut = (lostRecords: number, lostMs: number, syncMs = 0, lateMs = 0) => ({
      lostRecords,
      lostMs,
      syncMs,
      lateMs,
    });
    expect(isKept(0, cut(0, 0))).toBe(true);
    expect(isKept(0, cut(1, 0, 5, 5))).toBe(false);
    expect(isKept(50, cut(900, 54, 5))).toBe(true);
    expect(isKept(50, cut(1, 53))).toBe(false);
    // A timer that fires late is the machine's fault, and not the policy's.
    expect(isKept(50, cut(1, 90, 5, 40))).toBe(true);
    expect(isKept(Number.POSITIVE_INFINITY, cut(9, 1e9))).toBe(true);
  });

  test('each cut says what came on top of the promise, and the closest is among them', async () => {
    const accident = await causeAccidents(policyStrategy({ mode: 'interval', intervalMs: 10 }), accidents());
    expect(accident.each).toHaveLength(accident.cuts);
    expect(accident.each).toContain(accident.closest);
    expect(accident.isKept).toBe(true);
    for (const { lostRecords, lostMs, syncMs, lateMs } of accident.each) {
      expect(lostMs > 0).toBe(lostRecords > 0);
      expect(syncMs).toBeLessThanOrEqual(lostMs);
      expect(lateMs).toBeLessThanOrEqual(lostMs);
    }
  });
});
