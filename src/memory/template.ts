/**
 * What the messages that one statement of a program writes have in common, by rules that look at one message
 * alone. This is the specification of the kernel in assembly/template.ts, and what makes templates readable.
 *
 * A message is cut into tokens by blanks, tabs and the characters `, ; : = ( ) [ ] { } < > " ' |`. A token is
 * a variable if
 *
 * - it has a digit (numbers, identifiers, addresses, times, hexadecimal with at least one digit),
 * - it stands right behind an equals sign (`user=root`),
 * - it begins with a slash and goes on (a path),
 * - or it is longer than 63 bytes.
 *
 * A unit of size behind it (`12 KB`) belongs to it, and variables with nothing but delimiters between them
 * are one, so that a list has the same template however long it is. Of a message only the first 500 bytes
 * count.
 *
 * @module
 */

import { TEMPLATE_BYTES_MAX, TEMPLATE_TOKEN_BYTES_MAX } from './layout.ts';

/** What stands for a variable, as loghub and most parsers of its kind write it. */
const VARIABLE = '<*>';

const TOKEN = /[^\t ,;:=()[\]{}<>"'|]+/g;
const UNIT = /^ [KMGTP]?B(?=[\t ,;:=()[\]{}<>"'|]|$)/;

/**
 * The template of a message.
 *
 * @param message one character a byte (latin1), as it lies in memory
 * @returns the same without its variables, also one character a byte
 */
export function maskMessage(message: string): string {
  const text = message.slice(0, TEMPLATE_BYTES_MAX);
  let masked = '';
  // All before this is in `masked`.
  let end = 0;
  let isBehindVariable = false;
  for (const match of text.matchAll(TOKEN)) {
    const [token] = match;
    // A unit belongs to the variable before it.
    if (match.index < end || !isVariable(token, text[match.index - 1])) continue;
    const between = text.slice(end, match.index);
    const isJoined = isBehindVariable && between.search(TOKEN) < 0;
    if (!isJoined) masked += between + VARIABLE;
    end = match.index + token.length;
    end += UNIT.exec(text.slice(end, end + 4))?.[0].length ?? 0;
    isBehindVariable = true;
  }
  return masked + text.slice(end);
}

function isVariable(token: string, before: string | undefined): boolean {
  if (token.length > TEMPLATE_TOKEN_BYTES_MAX || before === '=') return true;
  return /[0-9]/.test(token) || (token.startsWith('/') && token.length > 1);
}
