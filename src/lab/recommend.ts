/**
 * From what a program needs to the policy that gives it at the least price.
 *
 * @module
 */

import { loadName, type PolicyStrategy, promisedLossMs, type Store } from './matrix.ts';
import type { CellResult, LabResult } from './result.ts';
import { PREALLOCATED_BYTES } from './subject.ts';

/** What a program needs. */
export interface Wish {
  /** How old acknowledged records may be that a power cut takes; 0 for none at all. */
  readonly maxLossMs: number;
  /** The 99th percentile from sending a record to its acknowledgement; without it any will do. */
  readonly p99Ms?: number | undefined;
  /** Only loads of so many clients count; all that were measured unless given. */
  readonly clients?: number | undefined;
}

/** How one policy does by a wish. */
export interface Candidate {
  readonly strategy: PolicyStrategy;
  /** The least it does under the loads that count, as a share of the best policy under the same load. */
  readonly worth: number;
  readonly p99Ms: number;
  /** For how long something acknowledged was not durable, at the worst moment of these loads. */
  readonly atRiskMs: number;
  readonly recordsPerSecond: number;
  /** Why it does not do; empty where it does. */
  readonly reasons: readonly string[];
}

export interface Recommendation {
  readonly wish: Wish;
  /** The policy; undefined where none does what is wished for. */
  readonly chosen: Candidate | undefined;
  /** One sentence. */
  readonly reason: string;
  /** TypeScript to paste; empty where no policy is chosen. */
  readonly code: string;
  /** All policies, the best first, those that do not do last. */
  readonly candidates: readonly Candidate[];
}

/** Policies that are this close are the same; then the more careful one is taken, which comes first. */
const SAME = 0.1;

/**
 * Recommends a policy.
 *
 * @param result of a run of the laboratory
 * @throws RangeError where nothing in the result was measured under the loads that count
 */
export function recommend(result: LabResult, wish: Wish): Recommendation {
  // Stores do other work: where logs were measured, too, it is logs that are recommended.
  const stores = result.cells.flatMap(({ strategy }) => (strategy.kind === 'policy' ? [strategy.store] : []));
  const store = stores.includes('log') ? 'log' : stores[0];
  const cells = result.cells.filter((cell) => counts(cell, store, wish));
  if (cells.length === 0) {
    const measured = new Set(result.cells.map(({ load }) => loadName(load)));
    throw new RangeError(
      `nothing was measured with ${wish.clients} clients, only ${[...measured].join(', ')}`,
    );
  }
  const best = new Map<string, number>();
  for (const cell of cells) {
    best.set(loadKey(cell), Math.max(best.get(loadKey(cell)) ?? 0, cell.recordsPerSecond));
  }
  const ids = [...new Set(cells.map(({ strategy }) => strategy.id))];
  const broken = new Set(result.accidents.filter(({ isKept }) => !isKept).map(({ strategy }) => strategy));
  const candidates = ids.map((id) => {
    const candidate = judge(
      cells.filter(({ strategy }) => strategy.id === id),
      best,
      wish,
    );
    if (!broken.has(id)) return candidate;
    return { ...candidate, reasons: [...candidate.reasons, 'broke its promise when the power was cut'] };
  });
  const fit = candidates.filter(({ reasons }) => reasons.length === 0);
  const top = Math.max(...fit.map(({ worth }) => worth));
  // The order of the matrix is from the most careful to the least.
  const chosen = fit.find(({ worth }) => worth >= top * (1 - SAME));
  const rest = candidates.filter((candidate) => candidate !== chosen);
  rest.sort((a, b) => a.reasons.length - b.reasons.length || b.worth - a.worth);
  return {
    wish,
    chosen,
    reason: chosen === undefined ? noneBecause(rest) : because(chosen, wish, fit.length),
    code: chosen === undefined ? '' : codeOf(chosen.strategy),
    candidates: chosen === undefined ? rest : [chosen, ...rest],
  };
}

function counts({ strategy, load }: CellResult, store: Store | undefined, { clients }: Wish): boolean {
  if (strategy.kind === 'bare' || strategy.store !== store) return false;
  return clients === undefined || (load.kind === 'closed' && load.clients === clients);
}

function loadKey({ load, recordBytes }: CellResult): string {
  return `${loadName(load)} ${recordBytes}`;
}

function judge(cells: readonly CellResult[], best: ReadonlyMap<string, number>, wish: Wish): Candidate {
  const [first] = cells;
  const strategy = first?.strategy as PolicyStrategy;
  const worth = Math.min(...cells.map((cell) => cell.recordsPerSecond / (best.get(loadKey(cell)) ?? 1)));
  const p99Ms = Math.max(...cells.map(({ latencyMs }) => latencyMs.p99));
  const slowest = cells.find(({ latencyMs }) => latencyMs.p99 === p99Ms);
  const reasons: string[] = [];
  const promise = promisedLossMs(strategy);
  const atRiskMs = Math.max(...cells.map(({ risk }) => risk.msMax));
  if (promise > wish.maxLossMs) {
    reasons.push(promise === Number.POSITIVE_INFINITY ? 'promises nothing' : `may lose ${promise} ms`);
  } else if (promise > 0 && atRiskMs > wish.maxLossMs) {
    // A period ends with a sync, which takes its time: what was at risk meanwhile counts as well.
    const where = cells.find(({ risk }) => risk.msMax === atRiskMs);
    const under = where === undefined ? '' : ` with ${loadName(where.load)}`;
    reasons.push(`had ${milliseconds(atRiskMs)} at risk${under}`);
  }
  if (wish.p99Ms !== undefined && !(p99Ms <= wish.p99Ms)) {
    const where = slowest === undefined ? '' : ` with ${loadName(slowest.load)}`;
    reasons.push(`p99 is ${milliseconds(p99Ms)}${where}`);
  }
  if (cells.some(({ isSaturated }) => isSaturated)) reasons.push('does not keep up with the arrivals');
  const recordsPerSecond = Math.max(...cells.map((cell) => cell.recordsPerSecond));
  return { strategy, worth, p99Ms, atRiskMs, recordsPerSecond, reasons };
}

function milliseconds(ms: number): string {
  return `${Number(ms.toPrecision(2))} ms`;
}

function because(candidate: Candidate, wish: Wish, fitting: number): string {
  const { strategy, p99Ms, atRiskMs, recordsPerSecond } = candidate;
  const promise = promisedLossMs(strategy);
  const loss =
    promise === 0
      ? 'loses nothing that was acknowledged'
      : `loses what was acknowledged in its last ${promise} ms and during one sync (${milliseconds(atRiskMs)} at worst here)`;
  const latency = wish.p99Ms === undefined ? '' : `, acknowledges within ${milliseconds(p99Ms)} (p99)`;
  const others = fitting === 1 ? 'the only policy that does' : `the best of ${fitting} policies that do`;
  const rate = Math.round(recordsPerSecond).toLocaleString('en-US');
  return `${strategy.id} ${loss}${latency}: ${others}, with up to ${rate} records a second.`;
}

function noneBecause(candidates: readonly Candidate[]): string {
  const nearest = candidates[0];
  if (nearest === undefined) return 'No policy was measured.';
  return `No policy does that here. The nearest, ${nearest.strategy.id}, ${nearest.reasons.join(' and ')}.`;
}

/** A strategy as it is written in a program. */
export function codeOf({ id, store, sync, preallocate, dsync }: PolicyStrategy): string {
  const limits = Object.entries(sync).map(
    ([name, value]) => `${name}: ${typeof value === 'string' ? `'${value}'` : value}`,
  );
  const policy = `sync: { ${limits.join(', ')} }`;
  const imports = `import { ${dsync ? 'dsyncVfs, ' : ''}open } from 'varve';`;
  const comment = `// ${id}`;
  if (store !== 'log') {
    const options = [`wal: { ${policy} }`, ...(dsync ? ['vfs: dsyncVfs'] : [])];
    return [
      imports,
      '',
      `const db = await open('./data', { ${options.join(', ')} });   ${comment}`,
      `const store = await db.${store}('orders');`,
    ].join('\n');
  }
  const options = [policy, ...(preallocate ? ['preallocate: true'] : [])];
  const measured = preallocate ? `, measured with segmentBytes: ${PREALLOCATED_BYTES}` : '';
  return [
    imports,
    '',
    `const db = await open('./data'${dsync ? ', { vfs: dsyncVfs }' : ''});`,
    `const log = await db.log('events', { ${options.join(', ')} });   ${comment}${measured}`,
  ].join('\n');
}
