/**
 * Where `varve ingest` reads from: files and standard input. They are looked at before anything is done,
 * so that a name that is mistyped costs nothing.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { nodeVfs } from '../vfs/node.ts';
import { UsageError } from './failure.ts';

/** What a line can be; see the parsers. */
export type LineFormat = 'hdfs' | 'lines';

/** How much of the beginning is looked at to find out what the lines are. */
const HEAD_BYTES = 64 * 1024;
/** Half of the first lines that look like a format are enough: a stack trace may stand between them. */
const HEAD_LINES = 100;
/** `081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block ...` */
const HDFS_LINE = /^\d{6} \d{6} \d+ [A-Z]+ \S+: /;
const STANDARD_INPUT = '-';

export interface Source {
  /** As it was typed. */
  title: string;
  /** A path, or the bytes of standard input. */
  input: string | AsyncIterable<Uint8Array>;
  /** How many bytes there are, where that is known. */
  bytes: number | undefined;
  /** What its first lines look like. */
  format: LineFormat;
}

/**
 * Opens every file once, reads its first lines, and closes it again.
 *
 * @param names paths; `-` is standard input
 * @throws VarveError where one cannot be read
 */
export async function findSources(names: readonly string[]): Promise<Source[]> {
  if (names.filter((name) => name === STANDARD_INPUT).length > 1) {
    throw new UsageError('standard input can be read only once');
  }
  const sources: Source[] = [];
  for (const name of names) {
    if (name !== STANDARD_INPUT) sources.push(await lookAtFile(name));
  }
  // It may take long to say its first word, so it comes last here, and in its place below.
  const standard = names.indexOf(STANDARD_INPUT);
  if (standard >= 0) sources.splice(standard, 0, await lookAtStandardInput());
  return sources;
}

async function lookAtFile(path: string): Promise<Source> {
  const stat = await nodeVfs.stat(path);
  if (stat?.kind === 'directory') {
    throw new VarveError('UNSUPPORTED', `${path} is a directory, not a file of lines`, { file: path });
  }
  const file = await nodeVfs.open(path, 'read');
  try {
    if (stat?.kind !== 'file') return { title: path, input: path, bytes: undefined, format: 'lines' };
    const head = Buffer.allocUnsafe(HEAD_BYTES);
    const bytes = await file.read(head, 0);
    return { title: path, input: path, bytes: stat.bytes, format: detectFormat(head.subarray(0, bytes)) };
  } finally {
    await file.close();
  }
}

async function lookAtStandardInput(): Promise<Source> {
  const pieces = process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const head: Buffer[] = [];
  let headBytes = 0;
  let isOver = false;
  while (headBytes < HEAD_BYTES && !isOver) {
    const { done, value } = await pieces.next();
    if (done === true) {
      isOver = true;
    } else {
      head.push(value);
      headBytes += value.length;
    }
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    yield* head;
    while (!isOver) {
      const { done, value } = await pieces.next();
      if (done === true) return;
      yield value;
    }
  }
  return {
    title: 'standard input',
    input: all(),
    bytes: undefined,
    format: detectFormat(Buffer.concat(head).subarray(0, HEAD_BYTES)),
  };
}

/** Says what the lines of a file are, from how it begins. */
export function detectFormat(head: Uint8Array): LineFormat {
  const lines = Buffer.from(head.buffer, head.byteOffset, head.length)
    .toString('latin1')
    .split('\n', HEAD_LINES)
    .filter((line) => line.trim() !== '');
  const matching = lines.filter((line) => HDFS_LINE.test(line)).length;
  return matching > 0 && matching * 2 >= lines.length ? 'hdfs' : 'lines';
}

/** The name of a log for the lines of a file: its own, without what makes no name. */
export function logNameOf(path: string): string {
  if (path === STANDARD_INPUT) return 'stdin';
  const base = path.split(/[/\\]/).at(-1) ?? '';
  const name = base
    .replace(/\.(?:log|txt|out)$/i, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replaceAll(/^[.-]+|[.-]+$/g, '')
    .slice(0, 200);
  return name === '' ? 'log' : name;
}
