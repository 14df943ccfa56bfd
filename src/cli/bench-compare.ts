/**
 * `varve bench compare A B`: two results of the laboratory, and which differences between them are more
 * than chance.
 *
 * @module
 */

import {
  type Comparison,
  compareResults,
  type Difference,
  parseResult,
  type Verdict,
} from '../lab/compare.ts';
import type { LabResult } from '../lab/result.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Context, ExitCode } from './context.ts';
import { formatCount, formatDuration, plural } from './format.ts';
import { type Column, renderTable } from './table.ts';

export interface BenchCompareCommandOptions {
  all?: boolean;
  json?: boolean;
}

/** @returns 1 where something became worse */
export async function benchCompare(
  before: string,
  after: string,
  options: BenchCompareCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const comparison = compareResults(await readResult(before), await readResult(after));
  if (options.json === true) context.stdout.json(comparison);
  else print(comparison, options.all === true, context);
  const all = [...comparison.strategies, ...comparison.differences];
  return all.some(({ verdict }) => verdict === 'worse') ? 1 : 0;
}

async function readResult(path: string): Promise<LabResult> {
  const file = await nodeVfs.open(path, 'read');
  try {
    const bytes = Buffer.alloc(await file.size());
    const read = await file.read(bytes, 0);
    return parseResult(bytes.toString('utf8', 0, read), path);
  } finally {
    await file.close();
  }
}

const COLUMNS: readonly Column[] = [
  { title: 'what' },
  { title: '' },
  { title: 'before', align: 'right' },
  { title: 'after', align: 'right' },
  { title: 'ratio', align: 'right' },
  { title: 'p', align: 'right' },
  { title: '' },
];

function print(comparison: Comparison, isAll: boolean, context: Context): void {
  const { stdout, colours } = context;
  const { strategies, differences, disk } = comparison;
  const style = { better: colours.green, worse: colours.red, same: colours.dim };
  const isShown = ({ verdict }: { verdict: Verdict }): boolean => isAll || verdict !== 'same';
  const tail = ({ ratio, probability, verdict }: Tail): string[] => [
    `×${ratio.toFixed(2)}`,
    probability < 0.001 ? '< 0.001' : probability.toFixed(3),
    style[verdict](verdict),
  ];
  const whole = strategies
    .filter(isShown)
    .map((one) => [`${one.strategy}, ${plural(one.cells, 'cell')} together`, one.what, '', '', ...tail(one)]);
  const single = differences
    .filter(isShown)
    .map((one) => [one.key, one.what, figure(one, one.before), figure(one, one.after), ...tail(one)]);
  if (whole.length + single.length > 0)
    stdout.write(renderTable(COLUMNS, [...whole, ...single], colours.dim));
  stdout.line(`policies: ${countVerdicts(strategies)}`);
  stdout.line(`cells: ${countVerdicts(differences)}`);
  stdout.line(
    colours.dim(`bare disk: ×${disk.synced.toFixed(2)} with fdatasync, ×${disk.written.toFixed(2)} without`),
  );
  for (const key of comparison.onlyBefore) stdout.line(colours.dim(`only before: ${key}`));
  for (const key of comparison.onlyAfter) stdout.line(colours.dim(`only after: ${key}`));
  for (const warning of comparison.warnings) stdout.line(`${colours.yellow('Read with care:')} ${warning}`);
  if (differences.length === 0) stdout.line(`the two have ${plural(0, 'measurement')} in common`);
}

type Tail = Pick<Difference, 'ratio' | 'probability' | 'verdict'>;

function countVerdicts(all: readonly { verdict: Verdict }[]): string {
  const count = (wanted: Verdict): number => all.filter(({ verdict }) => verdict === wanted).length;
  return `${count('better')} better, ${count('worse')} worse, ${count('same')} the same or not to be told apart`;
}

function figure({ what }: Difference, value: number): string {
  return what === 'p99' ? formatDuration(value) : formatCount(value);
}
