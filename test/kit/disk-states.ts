/**
 * What a file system holds, as plain values that tests can compare.
 *
 * @module
 */

import type { CrashVfs } from '../../src/testing/crash.ts';
import { joinPath, type Vfs } from '../../src/vfs/vfs.ts';

/** `length` bytes of one value. */
export const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

export async function readAll(vfs: Vfs, path: string): Promise<Uint8Array> {
  const file = await vfs.open(path, 'read');
  const bytes = new Uint8Array(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

/** Bytes in short: the value of each run and its length, as `1x512 0x3`. */
export function runs(bytes: Uint8Array): string {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    let end = at;
    while (end < bytes.length && bytes[end] === bytes[at]) end++;
    found.push(`${bytes[at]}x${end - at}`);
    at = end;
  }
  return found.join(' ');
}

/** Every name below `path`: a directory as `/`, a file as the runs of its bytes. */
export async function dump(vfs: Vfs, path = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await vfs.readdir(path === '' ? '/' : path)) {
    const below = joinPath(path, name);
    const stat = await vfs.stat(below);
    if (stat?.kind === 'directory') {
      found[below] = '/';
      Object.assign(found, await dump(vfs, below));
    } else {
      found[below] = runs(await readAll(vfs, below));
    }
  }
  return found;
}

/** All different states that a crash at this moment could leave, each once. Fails where they are too many. */
export async function states(
  vfs: CrashVfs,
  sectorBytes?: number,
  limit = 20_000,
): Promise<Record<string, string>[]> {
  const different = new Map<string, Record<string, string>>();
  let count = 0;
  for (const plan of vfs.enumerateCrashes(limit, sectorBytes)) {
    const state = await dump(vfs.preview(plan));
    different.set(JSON.stringify(state), state);
    if (++count === limit) throw new Error(`there are more than ${limit} states`);
  }
  return [...different.values()];
}

/** The different contents of one file in all states, `-` where it has no name; sorted. */
export async function contentsIn(vfs: CrashVfs, path: string, sectorBytes?: number): Promise<string[]> {
  const contents = (await states(vfs, sectorBytes)).map((state) => state[path] ?? '-');
  return [...new Set(contents)].sort();
}
