/** Lines that a seed makes: of the Hadoop file system's log, nearly of it, and nothing of it. */

import type { Random } from './random.ts';

const two = (value: number): string => String(value).padStart(2, '0');

/** A line that is of the format. */
export function goodLine(random: Random): string {
  const date = two(random.int(0, 99)) + two(random.int(1, 12)) + two(random.int(1, 28));
  const time = two(random.int(0, 23)) + two(random.int(0, 59)) + two(random.int(0, 59));
  const pid = String(random.int(0, random.pick([9, 99, 99_999, 2 ** 40])));
  const level = random.pick([
    'INFO',
    'WARN',
    'ERROR',
    'info',
    'Warning',
    'CRITICAL',
    'VERBOSE',
    'A',
    'SUPERDETAILED',
  ]);
  const component = `c.${'Name$Inner:'.repeat(random.int(0, random.chance(0.1) ? 25 : 2))}x`.slice(0, 255);
  const content = random.chance(0.1) ? '' : ` ${'some words: 10.0.0.1 '.repeat(random.int(0, 4))}`;
  return `${date} ${time} ${pid} ${level} ${component}:${content}`;
}

/** A line of the format in which something was changed, which may or may not matter. */
export function damagedLine(random: Random): string {
  const line = goodLine(random);
  const at = random.int(0, Math.min(line.length - 1, 40));
  const byte = random.chance(0.5)
    ? String.fromCharCode(random.int(0, 255)).replace('\n', ' ')
    : random.pick(' :0369Zz@[`{/-'.split(''));
  switch (random.int(0, 3)) {
    case 0:
      return line.slice(0, at) + byte + line.slice(at + 1);
    case 1:
      return line.slice(0, at) + byte + line.slice(at);
    case 2:
      return line.slice(0, at) + line.slice(at + 1);
    default:
      return line.slice(0, at);
  }
}

/** Lines of all kinds. */
export function mixedLines(random: Random, count: number): string[] {
  return Array.from({ length: count }, () => {
    if (random.chance(0.4)) return goodLine(random);
    if (random.chance(0.7)) return damagedLine(random);
    return Buffer.from(random.bytes(random.int(0, 60)))
      .toString('latin1')
      .replaceAll('\n', '\r');
  });
}
