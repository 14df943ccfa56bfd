/** Reading CSV files as RFC 4180 has them, without line ends inside of fields. */

/** Rows, by the names in the first line. */
export function readCsv(text: string): Record<string, string>[] {
  const rows = text
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, bare]) =>
        quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"'),
      ),
    );
  const [names = [], ...values] = rows;
  return values.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? ''])));
}
