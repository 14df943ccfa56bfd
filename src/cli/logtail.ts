/**
 * `varve logtail FILE…`: prints the last lines of files, and with `-f` what is appended to them, as `tail -F`
 * does.
 *
 * @module
 */

import { systemCode } from '../errors.ts';
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
  /** The same of bytes. */
  bytes?: string;
  /** With `follow`: of the process with which it ends. */
  pid?: number;
  /** With `follow`, in milliseconds. */
  sleepInterval?: number;
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
  const wanted = wantedPart(options);
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
    intervalMs: options.sleepInterval ?? TAIL_INTERVAL_MS,
    isOver: endOf(options.pid),
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

function wantedPart({ lines, bytes }: LogtailCommandOptions): TailStart {
  if (bytes !== undefined) {
    const { sign, number } = parseAmount('bytes', bytes);
    return sign === '+' ? { fromByte: Math.max(1, number) } : { bytes: number };
  }
  if (lines === undefined) return { lines: TAIL_LINES };
  const { sign, number } = parseAmount('lines', lines);
  return sign === '+' ? { fromLine: Math.max(1, number) } : { lines: number };
}

/** What GNU tail multiplies numbers with, but for those that no file is as large as. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 512,
  kB: 1000,
  k: 2 ** 10,
  K: 2 ** 10,
  KiB: 2 ** 10,
  MB: 1000 ** 2,
  m: 2 ** 20,
  M: 2 ** 20,
  MiB: 2 ** 20,
  GB: 1000 ** 3,
  G: 2 ** 30,
  GiB: 2 ** 30,
  TB: 1000 ** 4,
  T: 2 ** 40,
  TiB: 2 ** 40,
};

/** @param text as it was typed: `100`, `+5`, `10K` */
function parseAmount(what: string, text: string): { sign: string; number: number } {
  const [, sign = '', digits, unit = ''] = /^([+-]?)(\d+)([a-zA-Z]*)$/.exec(text) ?? [];
  const number = Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (!Number.isSafeInteger(number)) {
    const from = `+ and the number of a ${what === 'lines' ? 'line' : 'byte'}`;
    throw new UsageError(`the number of ${what} must be a whole number, or ${from}, not "${text}"`);
  }
  return { sign, number };
}

/** What says whether a process has ended. */
function endOf(pid: number | undefined): (() => boolean) | undefined {
  if (pid === undefined) return undefined;
  return () => {
    try {
      process.kill(pid, 0);
      return false;
    } catch (error) {
      // One of somebody else is there, though it takes no signal of ours.
      return systemCode(error) !== 'EPERM';
    }
  };
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
