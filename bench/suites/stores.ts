/** The stores that are built on trees: keys that expire, and log entries by time. */

import type { Context, Suite } from '../suite.ts';
import { eventRows, measureEvents } from './stores-events.ts';
import { kvRows, measureKeys } from './stores-kv.ts';

async function run(context: Context): Promise<void> {
  await measureKeys(context);
  await measureEvents(context);
}

export const storesSuite: Suite = {
  name: 'stores',
  title: 'stores of keys, their face for Level, and stores of log entries, beside those that others use',
  rows: [...kvRows, ...eventRows],
  run,
};
