/**
 * What the options that commands on log files have in common mean to the library.
 *
 * @module
 */

import type { LogReadOptions } from '../logfile/reading.ts';
import { checkStandardInput } from '../vfs/stdin.ts';
import type { Context } from './context.ts';
import { sentenceOf } from './failure.ts';
import type { LogCommandOptions } from './log-options.ts';
import { readingOf } from './reading.ts';

/** Counts the inputs that could not be read, and tells of each. */
export class Failures {
  count = 0;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  readonly note = (failure: unknown): void => {
    this.count++;
    this.#context.note(sentenceOf(failure));
  };
}

/** What the options mean to the library. */
export async function readOptions(
  options: LogCommandOptions,
  context: Context,
  failures: Failures,
): Promise<LogReadOptions> {
  const { encoding, recursive, rotated, since, until, level, component } = options;
  return {
    ...(await readingOf(options)),
    encoding,
    recursive,
    rotated,
    since,
    until,
    level,
    component,
    signal: context.signal,
    onFailure: failures.note,
    onNote: (text) => context.note(text),
    standardInput: () => {
      checkStandardInput();
      return process.stdin;
    },
  };
}
