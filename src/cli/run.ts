/**
 * The frame of all commands: the program, its help, and how it ends.
 *
 * @module
 */

import { Command, CommanderError } from 'commander';
import { report } from './context.ts';

const EXIT_CODES = `
Exit codes: 0 done; 1 done, and the answer is no (damage was found); 2 it could not be done.`;

/**
 * Runs what the command line asks for, and leaves the process with its exit code.
 *
 * @param version what `--version` answers
 * @param argv as in `process.argv`
 * @param add adds the commands there are: all of them, or the one that is asked for and its neighbours
 */
export async function runProgram(
  version: string,
  argv: readonly string[],
  add: (program: Command, version: string) => void,
): Promise<void> {
  const program = new Command('varve')
    .description('An event log in a directory: ingest, read, inspect, verify and repair it.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    .configureOutput({
      outputError: (message, write) => write(`varve: ${oneSentence(message)}\n`),
    });
  add(program, version);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    // Commander has printed its message by now; help that was asked for is no failure.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else process.exitCode = report(error);
  }
}

/** Commander makes two sentences of some messages, and puts its suggestion on a line of its own. */
function oneSentence(message: string): string {
  return message
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
    .replace(
      /( is invalid| for '\w+')\. (\S)/,
      (_, start: string, letter: string) => `${start}: ${letter.toLowerCase()}`,
    )
    .replace(/\.$/, '');
}
