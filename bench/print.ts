/** Results as plain, aligned text, for a terminal and for a file alike. */

import { DISTURBANCE_MAX } from './disturbance.ts';
import type { Row } from './rows.ts';
import type { Result } from './suite.ts';

/** A number with four digits that count, and thousands apart. */
export function formatNumber(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 1000) return Math.round(value).toLocaleString('en-US');
  if (magnitude >= 0.01) return String(Number(value.toPrecision(4)));
  return String(Number(value.toPrecision(3)));
}

/** A ratio: two decimals, more where it is small, none where it is large. */
export function formatRatio(ratio: number): string {
  if (ratio >= 100) return Math.round(ratio).toLocaleString('en-US');
  if (ratio >= 0.1) return ratio.toFixed(2);
  return String(Number(ratio.toPrecision(3)));
}

/** A ratio with the least and the greatest of its runs. */
export function formatRatioSpread(row: Row): string {
  if (row.ratio === null || row.ratioSpread === null) return '-';
  const { min, max } = row.ratioSpread;
  return `${formatRatio(row.ratio)}x (${formatRatio(min)}..${formatRatio(max)})`;
}

/** One word for a row that was compared, and the reason for one that was not. */
export function formatOutcome(row: Row): string {
  if (row.skipped !== null) return `skipped: ${row.skipped}`;
  if (row.ok === null) return '';
  return row.ok ? 'ok' : 'MISSED';
}

/** A value with its unit. */
export function formatValue(value: number | null, unit: string): string {
  return value === null ? '-' : `${formatNumber(value)} ${unit}`;
}

/** Lines of columns that are as wide as their widest cell; the first column is left-aligned, as is the last. */
export function alignColumns(lines: readonly (readonly string[])[]): string[] {
  const columns = Math.max(...lines.map((line) => line.length));
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...lines.map((line) => line[i]?.length ?? 0)),
  );
  return lines.map((line) =>
    line
      .map((cell, i) => (i === 0 || i === columns - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}

/** What makes the figures of a result less than they seem, in sentences. */
export function warningsOf(result: Result): string[] {
  const { env, tiny, othersShare } = result;
  const warnings = [...env.warnings];
  if (tiny) warnings.push('A tiny run: it shows that the bench works, not how fast anything is.');
  if (othersShare !== null && othersShare > DISTURBANCE_MAX) {
    const percent = Math.round(othersShare * 100);
    warnings.push(`Other programs used ${percent} % of the ${env.cores} cores meanwhile.`);
  }
  return warnings;
}

/** A result as a text that ends with a line feed. */
export function formatResult(result: Result): string {
  const { env } = result;
  const lines = result.rows.map((row) => [
    row.id,
    formatValue(row.value, row.unit),
    formatValue(row.versusValue, row.unit),
    formatRatioSpread(row),
    row.target === null ? '' : row.target,
    formatOutcome(row),
  ]);
  const head = ['row', 'varve', 'versus', 'ratio (least..greatest)', 'target', ''];
  const where = [
    `node ${env.node.slice(1)}`,
    `${env.cores} x ${env.cpu}`,
    env.kernel,
    env.fileSystem,
    `commit ${env.commit ?? 'unknown'}`,
    env.date,
  ];
  return [
    `${result.bench}: ${result.title}`,
    where.join(', '),
    ...warningsOf(result).map((text) => `warning: ${text}`),
    '',
    ...alignColumns([head, ...lines]),
    '',
  ].join('\n');
}
