/**
 * Logs of real systems, 2,000 lines each, and what the loghub project (logpai) found in them. The files are
 * not part of the repository: tests that need them are skipped without them, and say so.
 *
 * @module
 */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER: URL = new URL('../../../shared/data/loghub/', import.meta.url);

export const hasLoghub: boolean = existsSync(new URL('HDFS/HDFS_2k.log', FOLDER));

/** What a test says that may have to be skipped. */
export function loghubTitle(title: string): string {
  return hasLoghub ? title : `${title} (skipped: there is no ${FOLDER.pathname})`;
}

/** The path of the log of a system. */
export function loghubPath(system: string): string {
  return fileURLToPath(new URL(`${system}/${system}_2k.log`, FOLDER));
}

/** What others found in it, a row for each line. */
export function loghubRows(system: string): Record<string, string>[] {
  const path = new URL(`${system}/${system}_2k.log_structured.csv`, FOLDER);
  const [names = [], ...rows] = parseCsv(readFileSync(path, 'latin1'));
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? ''])));
}

/** Rows of RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    row.push(quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    if (row.length > 1) rows.push(row);
    row = [];
  }
  return rows;
}
