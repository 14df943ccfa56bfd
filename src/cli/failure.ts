/**
 * A failure as one sentence for the terminal.
 *
 * @module
 */

import { AssertionError } from 'node:assert';
import { getSystemErrorMap } from 'node:util';
import { isVarveError, systemCode } from '../errors.ts';

/** A mistake in how the command was called, which no option parser could see. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Says what went wrong: one line, without a full stop, with the code in parentheses where there is one.
 *
 * @param error whatever was caught
 */
export function sentenceOf(error: unknown): string {
  return oneLine(describe(error));
}

function describe(error: unknown): string {
  if (isVarveError(error)) {
    const message = inWords(error.message, error);
    const holder =
      error.pid === undefined || message.includes(String(error.pid)) ? '' : `, by process ${error.pid}`;
    return `${withoutStop(message)}${holder} (${error.code})`;
  }
  if (error instanceof AssertionError) return `this is a bug in varve: ${withoutStop(error.message)}`;
  if (!(error instanceof Error)) return String(error);
  const code = systemCode(error);
  const message = withoutStop(wordsOf(error) ?? error.message);
  if (code !== undefined) return `${message} (${code})`;
  if (error instanceof RangeError || error instanceof TypeError || error instanceof UsageError)
    return message;
  return `${error.name}: ${message}`;
}

/** The operating system's own words for its error: `no such file or directory`. */
function wordsOf(error: unknown): string | undefined {
  const code = systemCode(error);
  if (code === undefined) return undefined;
  for (const [name, words] of getSystemErrorMap().values()) if (name === code) return words;
  return undefined;
}

/** A message that ends with the code of the system's error underneath, ending with its words instead. */
function inWords(message: string, error: Error): string {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    const code = systemCode(cause) ?? '';
    const words = wordsOf(cause);
    if (words !== undefined && message.endsWith(code)) return message.slice(0, -code.length) + words;
  }
  return message;
}

function withoutStop(message: string): string {
  return message.replace(/[.\s]+$/, '');
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').trim();
}
