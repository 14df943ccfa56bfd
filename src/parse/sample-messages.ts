/**
 * What the lines of a generated log file say. All of it is invented. A message is text with fields in
 * braces, which the generator fills in.
 *
 * @module
 */

const FIELDS = ['block', 'newBlock', 'host', 'port', 'stage', 'ms', 'size', 'job', 'part', 'volume'] as const;

/** What a message leaves open. */
export type Field = (typeof FIELDS)[number];

/** Text as 32-bit words, little-endian, so that it can be written four bytes at a time. */
export interface Words {
  words: Int32Array;
  /** Length in bytes; the last word may be longer. */
  bytes: number;
}

export interface Message {
  /** How often it is used, out of the sum of all of its level. */
  weight: number;
  parts: readonly (Words | Field)[];
}

export interface Messages {
  all: readonly Message[];
  /** The sum of their weights. */
  weight: number;
}

/** Makes words of plain ASCII text. */
export function wordsOf(text: string): Words {
  const bytes = new Uint8Array(Math.ceil(text.length / 4) * 4);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const view = new DataView(bytes.buffer);
  const words = Int32Array.from({ length: bytes.length / 4 }, (_, i) => view.getInt32(i * 4, true));
  return { words, bytes: text.length };
}

function isField(text: string): text is Field {
  return FIELDS.some((field) => field === text);
}

function messages(level: string, lines: readonly [weight: number, line: string][]): Messages {
  const all = lines.map(([weight, line]) => {
    const pieces = `${level} ${line}\n`.split(/[{}]/);
    const parts = pieces
      .filter((piece) => piece !== '')
      .map((piece) => (isField(piece) ? piece : wordsOf(piece)));
    return { weight, parts };
  });
  return { all, weight: all.reduce((sum, { weight }) => sum + weight, 0) };
}

const BLOCK_BYTES = '67108864';

export const INFO: Messages = messages('INFO', [
  [
    17,
    'dfs.BlockServer$BlockReceiver: accepting {block} at stage {stage} of 3 from /{host}:{port} for writing',
  ],
  [15, `dfs.BlockServer$BlockReceiver: stored {block} of ${BLOCK_BYTES} bytes, sent by /{host} and checked`],
  [15, 'dfs.BlockServer$BlockPipeline: stage {stage} of {block} is drained and acknowledged'],
  [18, `dfs.NameTable: REPLICA+ NameTable.confirm: {host}:50010 now holds {block} of ${BLOCK_BYTES} bytes`],
  [6, 'dfs.NameTable: RESERVE NameTable.reserve: /jobs/job_200903_{job}/output/part-{part} gets {newBlock}'],
  [9, 'dfs.NameTable: REPLICA- NameTable.forget: {host}:50010 may drop {block} of a file that was deleted'],
  [8, 'dfs.BlockServer$VolumeSet: unlinked {block} from /data/{stage}/blocks/subdir{volume} in {ms} ms'],
  [6, 'dfs.BlockServer$BlockSender: handed {block} to /{host} in {ms} ms'],
  [4, 'dfs.BlockScrubber: all checksums of {block} agree'],
  [2, 'dfs.Balancer: copy of {block} ordered from {host}:50010 to {host}:50010'],
]);

export const WARN: Messages = messages('WARN', [
  [
    6,
    'dfs.BlockServer$BlockSender: {host}:50010: peer /{host} closed the stream after {size} bytes of {block}',
  ],
  [3, 'dfs.BlockServer$BlockReceiver: slow disk under {block}: one packet took {ms} ms'],
  [2, 'dfs.NameTable: {block} has 2 replicas where 3 are wanted, the third is overdue'],
]);

export const ERROR: Messages = messages('ERROR', [
  [2, 'dfs.BlockServer$VolumeSet: cannot place {block}: no volume has {size} bytes left'],
  [1, 'dfs.BlockServer$BlockPipeline: mirror {host}:50010 of {block} does not answer, stage {stage} is lost'],
]);
