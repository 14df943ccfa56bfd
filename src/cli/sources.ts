/**
 * Where `varve ingest` reads from: files and standard input. Files are looked at before anything is done,
 * so that a name that is mistyped costs nothing.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { nodeVfs } from '../vfs/node.ts';
import { checkStandardInput } from '../vfs/stdin.ts';
import { UsageError } from './failure.ts';

const STANDARD_INPUT = '-';

export interface Source {
  /** As it was typed. */
  title: string;
  /** A path, or the bytes of standard input. */
  input: string | AsyncIterable<Uint8Array>;
  /** How many bytes there are, where that is known. */
  bytes: number | undefined;
}

/**
 * Opens every file once, to see whether it can be read, and closes it again.
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
    if (name === STANDARD_INPUT) {
      checkStandardInput();
      sources.push({ title: 'standard input', input: process.stdin, bytes: undefined });
    } else sources.push(await lookAt(name));
  }
  return sources;
}

async function lookAt(path: string): Promise<Source> {
  const stat = await nodeVfs.stat(path);
  if (stat?.kind === 'directory') {
    throw new VarveError('UNSUPPORTED', `${path} is a directory, not a file of lines`, { file: path });
  }
  if (stat?.kind === 'other') {
    const message = `${path} is no regular file; read it as standard input, with - in its place`;
    throw new VarveError('UNSUPPORTED', message, { file: path });
  }
  const file = await nodeVfs.open(path, 'read');
  try {
    return { title: path, input: path, bytes: await file.size() };
  } finally {
    await file.close();
  }
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
