/**
 * `npm run bench:doc [-- FILE...] [--into DOCUMENT]`: writes the tables of docs/PERFORMANCE.md, or of
 * another document, from the results of the last full runs (build/bench/*.json), or of the files that are
 * named. Only what is between the two marks is replaced. A bench that has no result has no table either:
 * what cannot be repeated is not shown.
 *
 * @module
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatRatioSpread, formatValue, warningsOf } from './print.ts';
import type { Row } from './rows.ts';
import type { Result } from './suite.ts';

const BEGIN = '<!-- results: written by npm run bench:doc -->';
const END = '<!-- end of results -->';

function path(relative: string): string {
  return fileURLToPath(new URL(`../${relative}`, import.meta.url));
}

/** All results of the files, in the order of the benches' names on the command line of `bench -- all`. */
function readResults(files: readonly string[]): Result[] {
  const order = ['crc32c', 'kernels', 'append', 'read', 'recover', 'ingest', 'peers'];
  const place = ({ bench }: Result): number => (order.includes(bench) ? order.indexOf(bench) : order.length);
  const results = files.flatMap((file) => {
    const parsed = JSON.parse(readFileSync(file, 'utf8')) as Result | Result[];
    return Array.isArray(parsed) ? parsed : [parsed];
  });
  return results.filter(({ tiny }) => !tiny).sort((a, b) => place(a) - place(b));
}

function outcome(row: Row): string {
  if (row.skipped !== null) return `skipped: ${row.skipped}`;
  if (row.ok === null) return '';
  return row.ok ? 'ok' : '**missed**';
}

function target(row: Row): string {
  return row.target === null ? '' : row.target.replace('>=', '≥').replace('<=', '≤');
}

function cells(row: Row): string[] {
  return [
    `\`${row.id}\``,
    formatValue(row.value, row.unit),
    row.versus,
    formatValue(row.versusValue, row.unit),
    formatRatioSpread(row).replace('x ', '× ').replace('..', '–'),
    target(row),
    outcome(row),
  ];
}

/** A result as a section of Markdown. */
function section(result: Result): string {
  const { env } = result;
  const memory = `${Math.round(env.memoryBytes / 2 ** 30)} GiB`;
  const head = ['row', 'varve', 'against', 'its figure', 'ratio (least–greatest)', 'target', ''];
  const lines = [head, head.map(() => '---'), ...result.rows.map(cells)];
  return [
    `### ${result.bench}: ${result.title}`,
    '',
    `\`${result.command}\`, ${env.date.slice(0, 10)}, commit ${env.commit ?? 'unknown'}, Node ${env.node.slice(1)} ` +
      `(V8 ${env.v8}), ${env.cores} × ${env.cpu}, ${memory}, ${env.kernel}, ${env.fileSystem}.`,
    ...warningsOf(result),
    '',
    ...lines.map((line) => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`),
  ].join('\n');
}

function defaultFiles(): string[] {
  const folder = path('build/bench');
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
    return names.map((name) => `${folder}/${name}`);
  } catch {
    return [];
  }
}

const { values, positionals: named } = parseArgs({
  allowPositionals: true,
  options: { into: { type: 'string', default: path('docs/PERFORMANCE.md') } },
});
const results = readResults(named.length > 0 ? named : defaultFiles());
const file = values.into;
const text = readFileSync(file, 'utf8');
const begin = text.indexOf(BEGIN);
const end = text.indexOf(END);
if (results.length === 0) {
  process.stderr.write('bench:doc: there is no result; npm run bench -- all makes them\n');
  process.exitCode = 1;
} else if (begin < 0 || end < begin) {
  process.stderr.write(`bench:doc: ${file} lacks the marks that the tables go between\n`);
  process.exitCode = 1;
} else {
  const tables = results.map(section).join('\n\n');
  writeFileSync(file, `${text.slice(0, begin + BEGIN.length)}\n\n${tables}\n\n${text.slice(end)}`);
  process.stdout.write(`bench:doc: ${results.map(({ bench }) => bench).join(', ')} -> ${file}\n`);
}
