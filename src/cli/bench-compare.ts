/**
 * `varve bench compare A B`: two results of the laboratory, and which differences between them are more
 * than chance.
 *
 * @module
 */

import { type Comparison, compareResults, type Difference, parseResult } from '../lab/compare.ts';
import type { LabResult } from '../lab/result.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Context, ExitCode } from './context.ts';
import { formatCount, formatDuration, plural } from './format.ts';
import { renderTable } from './table.ts';

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
  return comparison.differences.some(({ verdict }) => verdict === 'worse') ? 1 : 0;
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

function print(comparison: Comparison, isAll: boolean, context: Context): void {
  const { stdout, colours } = context;
  const shown = comparison.differences.filter(({ verdict }) => isAll || verdict !== 'same');
  const style = { better: colours.green, worse: colours.red, same: colours.dim };
  if (shown.length > 0) {
    const rows = shown.map((difference) => [
      difference.key,
      difference.what,
      figure(difference, difference.before),
      figure(difference, difference.after),
      `×${difference.ratio.toFixed(2)}`,
      difference.probability < 0.001 ? '< 0.001' : difference.probability.toFixed(3),
      style[difference.verdict](difference.verdict),
    ]);
    const columns = [
      { title: 'what' },
      { title: '' },
      { title: 'before', align: 'right' as const },
      { title: 'after', align: 'right' as const },
      { title: 'ratio', align: 'right' as const },
      { title: 'p', align: 'right' as const },
      { title: '' },
    ];
    stdout.write(renderTable(columns, rows, colours.dim));
  }
  const count = (wanted: Difference['verdict']): number =>
    comparison.differences.filter(({ verdict }) => verdict === wanted).length;
  stdout.line(
    `${count('better')} better, ${count('worse')} worse, ${count('same')} the same or not to be told apart`,
  );
  for (const key of comparison.onlyBefore) stdout.line(colours.dim(`only before: ${key}`));
  for (const key of comparison.onlyAfter) stdout.line(colours.dim(`only after: ${key}`));
  for (const warning of comparison.warnings) stdout.line(`${colours.yellow('Read with care:')} ${warning}`);
  if (comparison.differences.length === 0) stdout.line(`the two have ${plural(0, 'measurement')} in common`);
}

function figure({ what }: Difference, value: number): string {
  return what === 'p99' ? formatDuration(value) : formatCount(value);
}
