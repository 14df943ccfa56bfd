/**
 * The one scale that the levels of all log formats are mapped to, and how a choice of levels is written. What the
 * words of each format mean on it is in assembly/levels.ts; here are the names, by code.
 *
 * @module
 */

/** The name of a level on the one scale. */
export type Level = 'OTHER' | 'TRACE' | 'DEBUG' | 'INFO' | 'NOTICE' | 'WARN' | 'ERROR' | 'FATAL';

/** Names of the levels, by code; `OTHER` is a level that is not on the scale. */
export const LEVEL_NAMES: readonly Level[] = [
  'OTHER',
  'TRACE',
  'DEBUG',
  'INFO',
  'NOTICE',
  'WARN',
  'ERROR',
  'FATAL',
];

const ALIASES: Readonly<Record<string, string>> = {
  WARNING: 'WARN',
  ERR: 'ERROR',
  SEVERE: 'ERROR',
  CRIT: 'FATAL',
  CRITICAL: 'FATAL',
  ALERT: 'FATAL',
  EMERG: 'FATAL',
};

/**
 * Reads a choice of levels: one, which stands for itself and all above it (`WARN`: warnings, errors and fatal
 * ones); or, behind an equals sign, those that are wanted, with commas between them (`=DEBUG,TRACE`).
 *
 * @returns one bit for each level code
 * @throws TypeError where it is no text
 * @throws RangeError where a level is not known
 */
export function parseLevels(text: unknown): number {
  if (typeof text !== 'string') throw new TypeError(`level must be a string, not ${String(text)}`);
  if (text.startsWith('=')) {
    return text
      .slice(1)
      .split(',')
      .reduce((mask, name) => mask | (1 << levelCode(name)), 0);
  }
  const least = levelCode(text);
  return ((1 << LEVEL_NAMES.length) - 1) & -(1 << least);
}

/**
 * The code of a level, whatever the case of its letters.
 *
 * @throws RangeError where it is not known
 */
export function levelCode(name: string): number {
  const upper = name.trim().toUpperCase();
  const code = (LEVEL_NAMES as readonly string[]).indexOf(ALIASES[upper] ?? upper);
  if (code < 0) throw new RangeError(`level must be one of ${LEVEL_NAMES.join(', ')}, not "${name}"`);
  return code;
}
