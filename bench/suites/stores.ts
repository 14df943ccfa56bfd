/** The stores that are built on trees: keys that expire, and log entries by time. */

import type { Suite } from '../suite.ts';
import { kvRows, measureKeys } from './stores-kv.ts';

export const storesSuite: Suite = {
  name: 'stores',
  title: 'stores of keys, and their face for Level, beside those that others use',
  rows: kvRows,
  run: measureKeys,
};
