/**
 * Values of options that several commands have, with mistakes told in the way of commander.
 *
 * @module
 */

import { InvalidArgumentError } from 'commander';
import { systemClock } from '../clock.ts';
import { parseCount } from './arguments.ts';
import { parseTime } from './time.ts';

export const TIMES = `
Times: ISO-8601 (UTC unless a zone is given), epoch milliseconds, or a distance from now such as -15m.`;

/** Turns a `RangeError` into the kind of error that commander names the option of. */
export function checked<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof RangeError) throw new InvalidArgumentError(`${error.message}.`);
      throw error;
    }
  };
}

export const count: (text: string) => number = checked(parseCount);
export const time: (text: string) => number = checked((text) => parseTime(text, systemClock.now()));
export const seconds: (text: string) => number = checked(parseSeconds);

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds > 0 && seconds <= 3600)) {
    throw new RangeError(`it must be a number of seconds above 0, up to 3600, not "${text}"`);
  }
  return seconds;
}
