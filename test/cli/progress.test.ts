import { describe, expect, test } from 'vitest';
import { Progress, type ProgressOptions } from '../../src/cli/progress.ts';
import { displayWidth } from '../../src/cli/table.ts';
import type { Clock } from '../../src/clock.ts';

const WIPE = '\r\u001b[2K';
const MIB = 1024 * 1024;

class HandClock implements Clock {
  ms = 5000;
  now = (): number => this.ms;
  monotonic = (): number => this.ms;
  after(): () => void {
    throw new Error('a bar sets no timers');
  }
  nextTurn(): void {
    throw new Error('a bar waits for nothing');
  }
}

function setUp(options: Partial<ProgressOptions> & { isTTY?: boolean; columns?: number } = {}): {
  clock: HandClock;
  written: string[];
  bar: Progress;
} {
  const { isTTY = true, columns = 100, ...rest } = options;
  const clock = new HandClock();
  const written: string[] = [];
  const stream = { isTTY, columns, write: (text: string) => written.push(text) };
  return { clock, written, bar: new Progress({ stream, clock, label: 'ingest', ...rest }) };
}

describe('the progress bar', () => {
  test('says how much is done, how fast, and how long it will take', () => {
    const { clock, written, bar } = setUp({ total: 200 * MIB });
    clock.ms += 1000;
    bar.update(50 * MIB);
    expect(written).toEqual([
      `${WIPE}ingest  ${'█'.repeat(7)}▌${'░'.repeat(22)}   25%  50 MiB of 200 MiB  50 MiB/s  0:03 left`,
    ]);
  });

  test('is drawn at most ten times a second', () => {
    const { clock, written, bar } = setUp({ total: 1000 });
    for (let ms = 1; ms <= 1000; ms++) {
      clock.ms += 1;
      bar.update(ms);
    }
    expect(written).toHaveLength(10);
  });

  test('is not drawn on a stream that is no terminal', () => {
    const { clock, written, bar } = setUp({ total: 10, isTTY: false });
    clock.ms += 1000;
    bar.update(5);
    bar.clear();
    expect(written).toEqual([]);
  });

  test('wipes itself off once, and only if it was drawn', () => {
    const { clock, written, bar } = setUp({ total: 10 });
    bar.clear();
    expect(written).toEqual([]);
    clock.ms += 1000;
    bar.update(5);
    bar.clear();
    bar.clear();
    expect(written).toHaveLength(2);
    expect(written[1]).toBe(WIPE);
  });

  test('counts without a bar where the end is not known', () => {
    const { clock, written, bar } = setUp();
    clock.ms += 2000;
    bar.update(10 * MIB);
    expect(written[0]).toBe(`${WIPE}ingest  10 MiB  5 MiB/s  0:02`);
  });

  test('counts things that are not bytes by their name', () => {
    const { clock, written, bar } = setUp({ unit: 'records' });
    clock.ms += 1000;
    bar.update(12_345);
    expect(written[0]).toBe(`${WIPE}ingest  12,345 records  12,345 records/s  0:01`);
  });

  test('takes a terminal that does not know its width for one of 80 columns', () => {
    const { clock, written, bar } = setUp({ total: 200 * MIB, columns: 0 });
    clock.ms += 1000;
    bar.update(50 * MIB);
    expect(displayWidth((written[0] ?? '').slice(WIPE.length))).toBe(79);
  });

  test('never is wider than the terminal', () => {
    for (const columns of [1, 10, 20, 40, 60, 61, 62, 80, 200]) {
      const { clock, written, bar } = setUp({ total: 5_000 * MIB, columns });
      clock.ms += 500;
      bar.update(1_234 * MIB);
      expect(displayWidth((written[0] ?? '').slice(WIPE.length))).toBeLessThan(columns);
    }
  });

  test('follows a rate that changes', () => {
    const { clock, written, bar } = setUp({ total: 1000 * MIB });
    let done = 0;
    for (let second = 0; second < 10; second++) {
      clock.ms += 1000;
      bar.update((done += 50 * MIB));
    }
    expect(written.at(-1)).toContain('50 MiB/s');
    for (let second = 0; second < 20; second++) {
      clock.ms += 1000;
      bar.update((done += 10 * MIB));
    }
    expect(written.at(-1)).toContain('  10 MiB/s  0:30 left');
  });

  test('lets a slow beginning weigh no more than the time that it took', () => {
    const { clock, written, bar } = setUp({ total: 1000 * MIB });
    clock.ms += 100;
    bar.update(0);
    clock.ms += 900;
    bar.update(90 * MIB);
    expect(written.at(-1)).toMatch(/ {2}9\d(?:\.\d)? MiB\/s/);
  });

  test('stays within its bounds when more comes than was announced, or nothing at all', () => {
    const { clock, written, bar } = setUp({ total: 10 });
    clock.ms += 1000;
    bar.update(20);
    expect(written[0]).toContain('100%');
    expect(written[0]).toContain('0:00 left');
    const idle = setUp({ total: 10 });
    idle.clock.ms += 1000;
    idle.bar.update(0);
    expect(idle.written[0]).toContain('0%');
    expect(idle.written[0]).not.toContain('left');
  });
});
