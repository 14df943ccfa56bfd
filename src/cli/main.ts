#!/usr/bin/env node
/**
 * The command `varve`. The one question that needs nothing else, which version this is, is answered before
 * anything else is loaded.
 *
 * @module
 */

import { createRequire } from 'node:module';

const [first, ...rest] = process.argv.slice(2);
const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

if ((first === '--version' || first === '-V') && rest.length === 0) {
  process.stdout.write(`${version}\n`);
} else {
  const { runProgram } = await import('./program.ts');
  await runProgram(version, process.argv);
}
