/** Writes entries to a store, out of order, until it is killed: run by tests, in a process of its own. */

import { open } from '../../src/open.ts';

const [directory = '', first = '0', count = '0', step = '1'] = process.argv.slice(2);
const total = Number(count);
const database = await open(directory);
const events = await database.events('app');
for (let at = Number(first); at < total; ) {
  const entries = [];
  for (const end = Math.min(total, at + 50); at < end; at++) {
    const number = (at * Number(step)) % total;
    entries.push({
      timestamp: 1000 + Math.floor(number / 4),
      level: 'INFO' as const,
      message: String(number),
    });
  }
  await events.writeMany(entries);
  process.stdout.write(`${at}\n`);
}
await database.close();
