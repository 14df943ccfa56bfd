/**
 * Levels in plain JavaScript: the specification of assembly/levels.ts.
 *
 * @module
 */

import {
  LEVEL_DEBUG,
  LEVEL_ERROR,
  LEVEL_FATAL,
  LEVEL_INFO,
  LEVEL_NOTICE,
  LEVEL_OTHER,
  LEVEL_TRACE,
  LEVEL_WARN,
} from './layout.ts';

/** Words that are the same in all formats. */
export const LEVEL_CODES: ReadonlyMap<string, number> = new Map([
  ['trace', LEVEL_TRACE],
  ['debug', LEVEL_DEBUG],
  ['info', LEVEL_INFO],
  ['notice', LEVEL_NOTICE],
  ['warn', LEVEL_WARN],
  ['warning', LEVEL_WARN],
  ['err', LEVEL_ERROR],
  ['error', LEVEL_ERROR],
  ['severe', LEVEL_ERROR],
  ['fatal', LEVEL_FATAL],
  ['crit', LEVEL_FATAL],
  ['critical', LEVEL_FATAL],
  ['alert', LEVEL_FATAL],
  ['emerg', LEVEL_FATAL],
]);

const MORE_CODES: ReadonlyMap<string, number> = new Map([
  ...LEVEL_CODES,
  ['panic', LEVEL_FATAL],
  ['emergency', LEVEL_FATAL],
  ['failure', LEVEL_ERROR],
  ['information', LEVEL_INFO],
  ['informational', LEVEL_INFO],
  ['config', LEVEL_DEBUG],
  ['fine', LEVEL_DEBUG],
  ['finer', LEVEL_TRACE],
  ['finest', LEVEL_TRACE],
  ['verbose', LEVEL_TRACE],
  ['v', LEVEL_TRACE],
  ['t', LEVEL_TRACE],
  ['d', LEVEL_DEBUG],
  ['i', LEVEL_INFO],
  ['n', LEVEL_NOTICE],
  ['w', LEVEL_WARN],
  ['e', LEVEL_ERROR],
  ['f', LEVEL_FATAL],
  ['c', LEVEL_FATAL],
]);

/** Severities of syslog (RFC 5424, 6.2.1), from 0 on. */
export const SEVERITIES: readonly number[] = [
  LEVEL_FATAL,
  LEVEL_FATAL,
  LEVEL_FATAL,
  LEVEL_ERROR,
  LEVEL_WARN,
  LEVEL_NOTICE,
  LEVEL_INFO,
  LEVEL_DEBUG,
];

/** Levels by the greatest number that is one: of pino, bunyan and Python, then of Monolog. */
const NUMBERS: readonly (readonly [number, number])[] = [
  [9, LEVEL_OTHER],
  [19, LEVEL_TRACE],
  [29, LEVEL_DEBUG],
  [39, LEVEL_INFO],
  [49, LEVEL_WARN],
  [59, LEVEL_ERROR],
  [99, LEVEL_FATAL],
  [199, LEVEL_DEBUG],
  [249, LEVEL_INFO],
  [299, LEVEL_NOTICE],
  [399, LEVEL_WARN],
  [499, LEVEL_ERROR],
  [600, LEVEL_FATAL],
];

/** The code of a level in any notation: a word, one letter, or a number. */
export function levelOf(text: string): number {
  if (!/^\d{1,3}$/.test(text)) return MORE_CODES.get(text.toLowerCase()) ?? LEVEL_OTHER;
  const number = Number(text);
  return SEVERITIES[number] ?? NUMBERS.find(([most]) => number <= most)?.[1] ?? LEVEL_OTHER;
}
