/**
 * Rotated files in the order of time. The set that a file belongs to, and its place there, are seen from its
 * name:
 *
 *     app.log.2.gz   app.log.1   app.log                        numbers, the greatest is the oldest
 *     app.1.log      app.log                                    the same, before the extension
 *     app.log-20240131.gz   app.log-20240201   app.log          dates, with a time of day or not
 *     app-2024-01-31.log    app-2024-01-31.1.log   app.log      a number behind a date counts upwards
 *
 * @module
 */

/** A file's place in its set. */
interface Place {
  /** What the names of the set have in common: that of the file which is written now. */
  set: string;
  /** Files with a date are older than those with a number, and both than the one that is written. */
  rank: 0 | 1 | 2;
  /** Digits of the date, the year first. */
  date: string;
  /** Least is oldest. */
  number: number;
}

const COMPRESSED = /\.(?:gz|zst|bz2|xz|Z)$/;
const DATE =
  /[-._]?((?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01])(?:[-_.T]?(?:[01]\d|2[0-3])(?:[-_.:]?[0-5]\d){0,2})?(?:-\d{9,10})?)(?!\d)/;
/** Behind the date: a number, an extension, or both in either order. */
const NUMBER_BEHIND_DATE = /[-._](\d{1,4})(?=\.|$)/;
const NUMBER_AT_END = /^(.+)\.(\d{1,4})$/;
const NUMBER_BEFORE_EXTENSION = /^(.+)\.(\d{1,4})(\.(?:log|txt|out|err|jsonl?))$/;

function placeOf(name: string): Place {
  const stored = name.replace(COMPRESSED, '');
  const date = DATE.exec(stored);
  if (date !== null) {
    const behind = stored.slice(date.index + date[0].length);
    const number = NUMBER_BEHIND_DATE.exec(behind);
    const set =
      stored.slice(0, date.index) + (number === null ? behind : behind.replace(NUMBER_BEHIND_DATE, ''));
    const digits = (date[1] as string).replaceAll(/\D/g, '');
    return { set, rank: 0, date: digits, number: Number(number?.[1] ?? 0) };
  }
  const end = NUMBER_AT_END.exec(stored) ?? NUMBER_BEFORE_EXTENSION.exec(stored);
  if (end === null) return { set: stored, rank: 2, date: '', number: 0 };
  const [, before = '', number, extension = ''] = end;
  return { set: before + extension, rank: 1, date: '', number: -Number(number) };
}

/** What the names of all files of a set have in common. */
export function rotatedSetOf(name: string): string {
  return placeOf(name).set;
}

/** Sorts the names of a directory: sets by name, and the files of each by time, the oldest first. */
export function inTimeOrder(names: readonly string[]): string[] {
  const places = names.map((name) => ({ name, place: placeOf(name) }));
  places.sort(
    (a, b) =>
      compare(a.place.set, b.place.set) ||
      a.place.rank - b.place.rank ||
      compare(a.place.date, b.place.date) ||
      a.place.number - b.place.number ||
      compare(a.name, b.name),
  );
  return places.map(({ name }) => name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
