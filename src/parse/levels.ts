/**
 * The one scale that the levels of all formats are mapped to. What the words of each format mean on it is
 * in assembly/levels.ts; here are the names, by code.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { LEVEL_COUNT } from '../memory/layout.ts';

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

assert(LEVEL_NAMES.length === LEVEL_COUNT, 'every level has a name');
