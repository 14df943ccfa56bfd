/**
 * Patterns for the names of files, for where no shell has expanded them:
 *
 *     *       any characters of a name            [a-z]   one of these; [!a-z] any other
 *     ?       one character                       {a,b}   one of these texts
 *     **      any directories, also none          \*      the character itself
 *
 * A name that starts with a dot is found only by a pattern that does.
 *
 * @module
 */

import { joinPath, type Vfs } from '../vfs/vfs.ts';

const MAGIC = /[*?[{]/;
const EXPANSIONS_MAX = 1024;
const DEPTH_MAX = 64;

/** Whether a pattern can stand for another name than its own. */
export function isGlob(pattern: string): boolean {
  return MAGIC.test(pattern);
}

/**
 * Finds the paths that a pattern stands for: files, directories and others, each once.
 *
 * @returns in no order to rely on
 * @throws RangeError where its braces stand for too many patterns
 */
export async function expandGlob(vfs: Vfs, pattern: string): Promise<string[]> {
  const found = new Set<string>();
  for (const alternative of expandBraces(pattern)) {
    const isAbsolute = alternative.startsWith('/');
    const segments = alternative.split('/').filter((segment) => segment !== '');
    await walk(vfs, isAbsolute ? '/' : '', segments, found, 0);
  }
  return [...found];
}

async function walk(
  vfs: Vfs,
  directory: string,
  segments: readonly string[],
  found: Set<string>,
  depth: number,
): Promise<void> {
  const [segment, ...rest] = segments;
  if (segment === undefined) {
    if (directory !== '') found.add(directory);
    return;
  }
  if (segment === '**') {
    await walk(vfs, directory, rest, found, depth);
    if (depth === DEPTH_MAX) return;
    for (const name of await namesIn(vfs, directory)) {
      const path = below(directory, name);
      if (name.startsWith('.') || (await vfs.stat(path))?.kind !== 'directory') continue;
      await walk(vfs, path, segments, found, depth + 1);
    }
    return;
  }
  if (!isGlob(segment)) {
    const path = below(directory, segment.replaceAll(/\\(.)/g, '$1'));
    if ((await vfs.stat(path)) !== undefined) await walk(vfs, path, rest, found, depth);
    return;
  }
  const matcher = segmentMatcher(segment);
  for (const name of await namesIn(vfs, directory)) {
    if (!matcher.test(name) || (name.startsWith('.') && !segment.startsWith('.'))) continue;
    await walk(vfs, below(directory, name), rest, found, depth);
  }
}

function below(directory: string, name: string): string {
  if (directory === '') return name;
  return directory === '/' ? `/${name}` : joinPath(directory, name);
}

/** The names in what may be no directory, or one that cannot be read: then it has none. */
async function namesIn(vfs: Vfs, directory: string): Promise<string[]> {
  try {
    return await vfs.readdir(directory === '' ? '.' : directory);
  } catch {
    return [];
  }
}

/** A pattern for one name as a regular expression. */
export function segmentMatcher(segment: string): RegExp {
  let source = '';
  for (let at = 0; at < segment.length; at++) {
    const character = segment[at] as string;
    if (character === '*') source += '.*';
    else if (character === '?') source += '.';
    else if (character === '\\' && at + 1 < segment.length) source += escaped(segment[++at] as string);
    else if (character === '[') {
      const end = segment.indexOf(']', at + (segment[at + 1] === '!' || segment[at + 1] === '^' ? 3 : 2));
      if (end < 0) {
        source += '\\[';
        continue;
      }
      source += classOf(segment.slice(at + 1, end));
      at = end;
    } else source += escaped(character);
  }
  return new RegExp(`^${source}$`, 's');
}

function classOf(inside: string): string {
  const isNegated = inside.startsWith('!') || inside.startsWith('^');
  const members = inside.slice(isNegated ? 1 : 0).replaceAll(/[\\\]^[]/g, '\\$&');
  return `[${isNegated ? '^' : ''}${members}]`;
}

function escaped(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
}

/** `a{b,c}d` is `abd` and `acd`; braces without a comma are what they are. */
export function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  const waiting = [pattern];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const braces = findBraces(next);
    if (braces === undefined) {
      done.push(next);
      continue;
    }
    const { start, end, parts } = braces;
    // The first is taken first.
    for (const part of parts.reverse()) waiting.push(next.slice(0, start) + part + next.slice(end));
    if (waiting.length + done.length > EXPANSIONS_MAX) {
      throw new RangeError(`the braces of ${pattern} stand for more than ${EXPANSIONS_MAX} patterns`);
    }
  }
  return done;
}

/** The first braces that have a comma, and what it parts. */
function findBraces(pattern: string): { start: number; end: number; parts: string[] } | undefined {
  for (let start = pattern.indexOf('{'); start >= 0; start = pattern.indexOf('{', start + 1)) {
    if (pattern[start - 1] === '\\') continue;
    const parts: string[] = [];
    let depth = 0;
    let from = start + 1;
    for (let at = start + 1; at < pattern.length; at++) {
      const character = pattern[at];
      if (character === '\\') at++;
      else if (character === '{') depth++;
      else if (character === ',' && depth === 0) {
        parts.push(pattern.slice(from, at));
        from = at + 1;
      } else if (character === '}' && depth-- === 0) {
        if (parts.length === 0) break;
        parts.push(pattern.slice(from, at));
        return { start, end: at + 1, parts };
      }
    }
  }
  return undefined;
}
