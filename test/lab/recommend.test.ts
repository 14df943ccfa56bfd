import { describe, expect, test } from 'vitest';
import { parseSyncPolicy } from '../../src/cli/arguments.ts';
import type { Accident } from '../../src/lab/accident.ts';
import { compareResults, parseResult } from '../../src/lab/compare.ts';
import { parseStrategy, policyStrategy } from '../../src/lab/matrix.ts';
import { codeOf, recommend } from '../../src/lab/recommend.ts';
import type { LabResult } from '../../src/lab/result.ts';
import { resultOf, SPEEDS } from './results.ts';

describe('recommending a policy', () => {
  test('nothing may be lost: the fastest of those that promise it', () => {
    const { chosen, reason, code } = recommend(resultOf(), { maxLossMs: 0 });
    expect(chosen?.strategy.id).toBe('always');
    expect(reason).toContain('loses nothing');
    expect(code).toContain("sync: { mode: 'always' }");
  });

  test('a loss that is put up with opens the way to the policies that promise no more', () => {
    const { chosen, candidates, reason } = recommend(resultOf(), { maxLossMs: 60 });
    expect(chosen?.strategy.id).toBe('interval:50ms');
    expect(reason).toContain('last 50 ms and during one sync (55 ms at worst here)');
    expect(candidates.find(({ strategy }) => strategy.id === 'never')?.reasons).toEqual(['promises nothing']);
    expect(recommend(resultOf(), { maxLossMs: 49 }).chosen?.strategy.id).toBe('always');
  });

  test('what was at risk during the sync behind the period counts as well', () => {
    const { chosen, reason, candidates } = recommend(resultOf(), { maxLossMs: 50 });
    expect(chosen?.strategy.id).toBe('always');
    expect(reason).toContain('loses nothing');
    const interval = candidates.find(({ strategy }) => strategy.id === 'interval:50ms');
    expect(interval?.reasons).toEqual(['had 55 ms at risk with 1 client']);
  });

  test('a policy that broke its promise is not recommended', () => {
    const accident: Accident = {
      strategy: 'always',
      promisedLossMs: 0,
      closest: { atMs: 9, lostRecords: 1, lostMs: 0.1, syncMs: 0.1, lateMs: 0 },
      each: [],
      cuts: 12,
      states: 36,
      acknowledged: 1000,
      lostRecords: 1,
      lostMs: 0.1,
      isKept: false,
    };
    const { chosen, candidates } = recommend(resultOf(SPEEDS, 5, [accident]), { maxLossMs: 0 });
    expect(chosen?.strategy.id).toBe('batch:10ms');
    expect(candidates.find(({ strategy }) => strategy.id === 'always')?.reasons.join()).toContain('broke');
  });

  test('a latency that is not kept is a reason against a policy', () => {
    const slow = { ...SPEEDS, always: [6000, 30] as const };
    const { chosen, candidates } = recommend(resultOf(slow), { maxLossMs: 0, p99Ms: 25 });
    expect(chosen?.strategy.id).toBe('batch:10ms');
    expect(candidates.find(({ strategy }) => strategy.id === 'always')?.reasons.join()).toContain('p99');
  });

  test('where none will do it says so, and gives no code', () => {
    const { chosen, reason, code } = recommend(resultOf(), { maxLossMs: 0, p99Ms: 0.01 });
    expect(chosen).toBeUndefined();
    expect(reason).toContain('No policy');
    expect(code).toBe('');
  });

  test('of policies that are about as fast, the more careful one is taken', () => {
    const close = { ...SPEEDS, always: [195_000, 0.1] as const };
    expect(recommend(resultOf(close), { maxLossMs: 1000 }).chosen?.strategy.id).toBe('always');
  });

  test('a load that was not measured cannot be recommended for', () => {
    expect(() => recommend(resultOf(), { maxLossMs: 0, clients: 3 })).toThrow(/only 1 client, 16 clients/);
  });

  test('code to paste has all that the policy is', () => {
    const strategy = policyStrategy(
      { mode: 'batch', maxRecords: 64, maxDelayMs: 10 },
      { preallocate: true, dsync: true },
    );
    const code = codeOf(strategy);
    expect(code).toContain("sync: { mode: 'batch', maxRecords: 64, maxDelayMs: 10 }");
    expect(code).toContain('preallocate: true');
    expect(code).toContain('dsyncVfs');
    const polling = codeOf(policyStrategy({ mode: 'always', busyPollMs: 1 }, { store: 'kv' }));
    expect(polling).toContain(
      "open('./data', { wal: { sync: { mode: 'always', busyPollMs: 1 } } });   // kv always+poll",
    );
    expect(polling).toContain("await db.kv('orders')");
  });

  test('a log is recommended where logs were measured, whatever stores do', () => {
    const withStore = (id: string): LabResult => {
      const result = resultOf({ ...SPEEDS, always: [400_000, 0.01] });
      const cells = result.cells.map((cell) =>
        cell.strategy.id === id ? { ...cell, strategy: { ...cell.strategy, store: 'tree' as const } } : cell,
      );
      return { ...result, cells };
    };
    expect(recommend(withStore('always'), { maxLossMs: 0 }).chosen?.strategy.id).toBe('batch:10ms');
    const { cells, ...rest } = withStore('always');
    const stores = cells.filter(({ strategy }) => strategy.kind === 'bare' || strategy.id === 'always');
    expect(recommend({ ...rest, cells: stores }, { maxLossMs: 0 }).chosen?.strategy.id).toBe('always');
  });

  test('a strategy is read as its name is written', () => {
    const named = [
      'always',
      'always+poll',
      'adaptive:2ms+poll+O_DSYNC',
      'batch:64,10ms+preallocate',
      'never',
    ];
    expect(named.map((text) => parseStrategy(text, parseSyncPolicy).id)).toEqual(named);
    expect(parseStrategy(' always +O_dsync +Poll', parseSyncPolicy).id).toBe('always+poll+O_DSYNC');
    for (const text of ['+poll', 'interval+poll', 'always+', 'always+poll+none'])
      expect(() => parseStrategy(text, parseSyncPolicy)).toThrow(RangeError);
  });
});

describe('comparing two results', () => {
  test('two of the same do not differ', () => {
    const { differences, warnings } = compareResults(resultOf(SPEEDS, 8), resultOf(SPEEDS, 8));
    expect(differences.length).toBeGreaterThan(0);
    expect(new Set(differences.map(({ verdict }) => verdict))).toEqual(new Set(['same']));
    expect(warnings).toEqual([]);
  });

  test('a slower policy is found, and only that one', () => {
    const after = resultOf({ ...SPEEDS, always: [3000, 0.33] });
    const worse = compareResults(resultOf(), after).differences.filter(({ verdict }) => verdict !== 'same');
    expect(worse.every(({ key, verdict }) => key.startsWith('always') && verdict === 'worse')).toBe(true);
    expect(new Set(worse.map(({ what }) => what))).toEqual(new Set(['records/s', 'p99']));
    const better = compareResults(after, resultOf()).differences.filter(
      ({ verdict }) => verdict === 'better',
    );
    expect(better).toHaveLength(worse.length);
  });

  test('a difference in few repeats may be chance, and is not called one', () => {
    const after = resultOf({ ...SPEEDS, always: [3000, 0.33] }, 2);
    const { differences, warnings } = compareResults(resultOf(SPEEDS, 2), after);
    expect(differences.every(({ verdict }) => verdict === 'same')).toBe(true);
    expect(warnings.join()).toContain('too few');
  });

  test('a policy is found slower by all of its cells together, where none of them shows it alone', () => {
    // Four repeats a side: alone, no cell gets below 2 in 70.
    const before = resultOf(SPEEDS, 4);
    const { strategies, differences } = compareResults(
      before,
      resultOf({ ...SPEEDS, always: [3000, 0.33] }, 4),
    );
    const slower = strategies.filter(({ verdict }) => verdict !== 'same');
    expect(slower.map(({ strategy, what, verdict }) => [strategy, what, verdict])).toEqual([
      ['always', 'records/s', 'worse'],
      ['always', 'p99', 'worse'],
    ]);
    for (const { ratio, cells } of slower) {
      expect(cells).toBeGreaterThan(1);
      expect(Math.abs(Math.log(ratio))).toBeGreaterThan(0.2);
    }
    const alone = differences.filter(({ verdict }) => verdict === 'worse');
    expect(alone.length).toBeGreaterThan(0);
    expect(alone.every(({ key, probability }) => key.startsWith('always') && probability > 0.02)).toBe(true);
  });

  test('what the disk itself was slower by is no difference of the policies', () => {
    const slower = Object.fromEntries(
      Object.entries(SPEEDS).map(([id, [rate, ms]]) => [id, [rate * 0.7, ms / 0.7] as const]),
    );
    const { strategies, differences, disk, warnings } = compareResults(resultOf(), resultOf(slower));
    expect(disk.synced).toBeCloseTo(0.7, 6);
    expect([...strategies, ...differences].every(({ verdict }) => verdict === 'same')).toBe(true);
    expect(warnings.join()).toContain('0.70 times as much');
  });

  test('the rate at which records arrive is no figure, unless it could not be kept up with', () => {
    const keys = ({ cells }: LabResult) => cells.filter(({ load }) => load.kind === 'open');
    const before = resultOf();
    const rates = (after: LabResult) =>
      compareResults(before, after).differences.filter(
        ({ key, what }) => key.endsWith('/s') && what !== 'p99',
      );
    expect(keys(before).length).toBeGreaterThan(0);
    expect(rates(before)).toEqual([]);
    const cells = before.cells.map((cell) => ({ ...cell, isSaturated: cell.load.kind === 'open' }));
    expect(rates({ ...before, cells })).toHaveLength(keys(before).length);
  });

  test('what only one of them has is named, and so is what differs around them', () => {
    const before = resultOf(SPEEDS, 8);
    const other = resultOf(SPEEDS, 8);
    const after = {
      ...other,
      cells: other.cells.slice(1),
      environment: { ...other.environment, fileSystem: 'xfs' },
    };
    const comparison = compareResults(before, after);
    expect(comparison.onlyBefore).toEqual([before.cells[0]?.key]);
    expect(comparison.warnings).toEqual(['fileSystem differs: ext4 before, xfs after.']);
  });

  test('a file that is no result is refused with its name', () => {
    expect(parseResult(JSON.stringify(resultOf()), 'a.json').cells).toHaveLength(resultOf().cells.length);
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"format":1}',
      '{"format":2,"cells":[]}',
      '{"format":1,"cells":[{}]}',
      '{"format":1,"cells":[],"repeats":5}',
      '{"format":1,"cells":[],"environment":{}}',
      JSON.stringify({ ...resultOf(), cells: [{ ...resultOf().cells[0], latencyMs: null }] }),
    ]) {
      expect(() => parseResult(text, 'a.json')).toThrow(/a\.json/);
    }
  });
});
