#!/usr/bin/env node
/**
 * The command `varve`. The one question that needs nothing else, which version this is, is answered before
 * anything else is loaded. And who searches a log file waits only for the commands that do, since that is done in less time
 * than it takes to load the others.
 *
 * @module
 */

import { createRequire } from 'node:module';
import type { runProgram as RunProgram } from './run.ts';

const [first, ...rest] = process.argv.slice(2);
const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

if ((first === '--version' || first === '-V') && rest.length === 0) {
  process.stdout.write(`${version}\n`);
} else {
  const [{ runProgram }, add] = await Promise.all([import('./run.ts'), commandsFor(first)]);
  await runProgram(version, argumentsFor(first), add);
}

/** The command line, where the tool that a command is modelled on reads it as commander does not. */
function argumentsFor(name: string | undefined): string[] {
  const { argv } = process;
  if (name === 'loggrep') return argv.map(withValue);
  // `tail -100 FILE` is the oldest of its forms.
  const lines = /^-(\d+)$/.exec(argv[3] ?? '')?.[1];
  if (name !== 'logtail' || lines === undefined) return argv;
  return [...argv.slice(0, 3), '-n', lines, ...argv.slice(4)];
}

/** As in grep, what follows `--color` is its value only behind an equals sign. */
function withValue(argument: string): string {
  return argument === '--color' || argument === '--colour' ? `${argument}=auto` : argument;
}

/** What adds the command of a name. */
async function commandsFor(name: string | undefined): Promise<Parameters<typeof RunProgram>[2]> {
  if (name === 'loggrep') return (await import('./log-commands.ts')).addLoggrep;
  if (name === 'logtail') return (await import('./log-commands.ts')).addLogtail;
  if (name === 'logread' || name === 'stats') {
    return (await import('./log-reading-commands.ts')).addLogReadingCommands;
  }
  return (await import('./program.ts')).addCommands;
}
