/**
 * The keys that lines of JSON and logfmt have for a time, a level, a pid, a component and a message, as loggers
 * call them, and the table of them that the kernels look keys up in (memory/program-layout.ts).
 *
 * @module
 */

import {
  KEY_LENGTH,
  KEY_NEXT,
  KEY_RANK,
  KEY_SLOT,
  KEY_TEXT,
  KEYS_BUCKETS_MASK,
  PROGRAM_CODE,
  SLOT_COMPONENT,
  SLOT_CONTENT,
  SLOT_EXTRAS,
  SLOT_LEVEL,
  SLOT_PID,
  SLOT_TIME,
} from '../memory/program-layout.ts';

/** Keys by what they are, the best first: where a line has several of a kind, that counts. */
const KEYS: readonly (readonly [number, readonly string[]])[] = [
  [SLOT_TIME, ['@timestamp', 'timestamp', 'time', 'ts', 'datetime', 'asctime', 't']],
  [SLOT_LEVEL, ['level', 'severity', 'lvl', 'log.level', 'levelname', 'loglevel', 'log_level']],
  [SLOT_PID, ['pid', 'process.pid', 'process_id']],
  [SLOT_COMPONENT, ['component', 'logger', 'logger_name', 'loggerName', 'log.logger', 'module', 'name']],
  [SLOT_CONTENT, ['msg', 'message', 'event', 'text']],
];

/** Of the keys of a line those that have no place of their own. */
export function otherKeys(keys: readonly string[]): string[] {
  const placed = new Set(KEYS.map(([, names]) => names.find((name) => keys.includes(name))));
  return keys.filter((key) => !placed.has(key));
}

const NAME_BYTES_MAX = 60;

/**
 * Lays out the table of keys, as words from `PROGRAM_CODE` on.
 *
 * @param extraNames keys whose values become extras, in this order
 * @throws RangeError where one of them cannot be a key
 */
export function keyTable(extraNames: readonly string[]): number[] {
  const words = new Array<number>(KEYS_BUCKETS_MASK + 1).fill(0);
  for (const [slot, names] of KEYS) for (const [rank, name] of names.entries()) add(words, name, slot, rank);
  for (const [i, name] of extraNames.entries()) add(words, name, SLOT_EXTRAS + i, 0);
  return words;
}

function add(words: number[], name: string, slot: number, rank: number): void {
  const bytes = Buffer.from(name);
  const { length } = bytes;
  if (length === 0 || length > NAME_BYTES_MAX) {
    throw new RangeError(
      `a field must have a name of 1 to ${NAME_BYTES_MAX} bytes, not ${JSON.stringify(name)}`,
    );
  }
  const hash = (length * 7 + (bytes[0] as number) + (bytes[length - 1] as number) * 5) & KEYS_BUCKETS_MASK;
  const padded = Buffer.alloc(Math.ceil(length / 4) * 4);
  bytes.copy(padded);
  const entry = new Array<number>((KEY_TEXT + padded.length) / 4).fill(0);
  entry[KEY_NEXT / 4] = words[hash] as number;
  entry[KEY_SLOT / 4] = slot;
  entry[KEY_RANK / 4] = rank;
  entry[KEY_LENGTH / 4] = length;
  for (let i = 0; i < padded.length / 4; i++) entry[KEY_TEXT / 4 + i] = padded.readInt32LE(i * 4);
  words[hash] = PROGRAM_CODE + words.length * 4;
  words.push(...entry);
}
