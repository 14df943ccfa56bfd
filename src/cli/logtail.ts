/**
 * `varve logtail FILE…`: prints the last lines of files, and with `-f` what is appended to them, as `tail -F`
 * does.
 *
 * @module
 */

import { MEMORY_BYTES_MIN } from '../limits.ts';
import type { FollowEvent } from '../logfile/follow.ts';
import { isWaitedFor, TAIL_INTERVAL_MS, TAIL_LINES, tailParts } from '../logfile/tail.ts';
import type { TailStart } from '../logfile/tail-chunks.ts';
import { createRuntime } from '../runtime.ts';
import { expandInputs } from '../text/inputs.ts';
import type { TextEncoding } from '../text/recognize.ts';
import { nodeVfs } from '../vfs/node.ts';
import { checkStandardInput } from '../vfs/stdin.ts';
import { type ChoiceOptions, choiceOf } from './choice.ts';
import type { Context, ExitCode } from './context.ts';
import { sentenceOf, UsageError } from './failure.ts';
import { readingOf } from './reading.ts';

export interface LogtailCommandOptions extends ChoiceOptions {
  /** As it was typed: `100`, `+5`. */
  lines?: string;
  follow?: boolean;
  quiet?: boolean;
  verbose?: boolean;
  recursive?: boolean;
  rotated?: boolean;
  encoding?: TextEncoding;
}

const EVENTS: Readonly<Record<FollowEvent, string>> = {
  gone: 'is no longer there',
  appeared: 'has appeared',
  replaced: 'was replaced; the new file is followed',
  truncated: 'was cut off',
};

export async function logtail(
  files: readonly string[],
  options: LogtailCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const { stdout, signal } = context;
  const { recursive, rotated, encoding, follow = false } = options;
  const wanted = wantedLines(options.lines);
  const choice = await choiceOf(options);
  let hasFailed = false;
  const standardInput = (): NodeJS.ReadStream => {
    checkStandardInput();
    return process.stdin;
  };
  const { inputs, failures } = await expandInputs(nodeVfs, files.length === 0 ? ['-'] : files, {
    recursive,
    rotated,
    standardInput,
  });
  const onFailure = (error: Error): void => {
    hasFailed = true;
    context.note(sentenceOf(error));
  };
  for (const failure of failures) onFailure(failure);
  const missing = follow ? failures.filter(isWaitedFor).map(({ file }) => file as string) : [];
  const hasHeaders =
    options.quiet !== true && (options.verbose === true || inputs.length + failures.length > 1);
  const headers = new Headers(hasHeaders);
  // Each file that is chosen from has a parser of its own.
  const runtime = createRuntime(choice === undefined ? { memoryBytes: MEMORY_BYTES_MIN } : {});
  const parts = tailParts(inputs, missing, {
    runtime,
    vfs: nodeVfs,
    wanted,
    follow,
    intervalMs: TAIL_INTERVAL_MS,
    encoding,
    choice,
    choosing: await readingOf(options),
    onNote: (text) => context.note(text),
    signal,
    onFailure,
    // An empty file has a header too.
    onInput: (name) => stdout.write(headers.before(name)),
  });
  for await (const part of parts) {
    if ('event' in part) {
      if (part.event !== 'end') context.note(`${part.name} ${EVENTS[part.event]}`);
      continue;
    }
    stdout.write(headers.before(part.name));
    stdout.give(part.bytes);
    if (stdout.full) await stdout.flush();
  }
  return hasFailed ? 2 : 0;
}

function wantedLines(text: string | undefined): TailStart {
  if (text === undefined) return { lines: TAIL_LINES };
  const [, sign, digits] = /^([+-]?)(\d+)$/.exec(text) ?? [];
  const number = Number(digits);
  if (!Number.isSafeInteger(number)) {
    throw new UsageError(
      `the number of lines must be a whole number, or + and the number of a line, not "${text}"`,
    );
  }
  return sign === '+' ? { fromLine: Math.max(1, number) } : { lines: number };
}

/** Says which file it is, whenever that changes. */
class Headers {
  readonly #isOn: boolean;
  #last: string | undefined;

  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  /** What is printed before bytes of a file. */
  before(name: string): string {
    if (!this.#isOn || this.#last === name) return '';
    const isFirst = this.#last === undefined;
    this.#last = name;
    const title = name === '(standard input)' ? 'standard input' : name;
    return `${isFirst ? '' : '\n'}==> ${title} <==\n`;
  }
}
