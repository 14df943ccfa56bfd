/**
 * Small file systems of one's own, where the system lets us have them, and programs that may not be there.
 *
 * @module
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system in memory that is only so large. */
export class SmallDisk {
  readonly path: string;
  #isMounted = false;

  /** @param size as `mount` takes it: `4m` */
  constructor(size: string) {
    this.path = mkdtempSync(join(tmpdir(), 'varve-disk-'));
    try {
      run('mount', '-t', 'tmpfs', '-o', `size=${size},mode=755`, 'varve-test', this.path);
      this.#isMounted = true;
    } catch (error) {
      rmdirSync(this.path);
      throw error;
    }
  }

  /** Lets it be written to, or not. */
  remount(mode: 'rw' | 'ro'): void {
    run('mount', '-o', `remount,${mode}`, this.path);
  }

  /** Takes it away; what is open on it goes when it is closed. */
  dispose(): void {
    if (!this.#isMounted) return;
    this.#isMounted = false;
    run('umount', '-l', this.path);
    rmdirSync(this.path);
  }
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: 'pipe' });
}

/** Why there can be no small disk here; undefined where there can. */
export function whyNoSmallDisk(): string | undefined {
  if (process.platform !== 'linux') return 'a small disk is made with the tmpfs of Linux';
  try {
    new SmallDisk('1m').dispose();
    return undefined;
  } catch {
    return 'a small disk is mounted, for which one has to be root';
  }
}

/** Why system calls cannot be made to fail here; undefined where they can. */
export function whyNoStrace(): string | undefined {
  const { status } = spawnSync('strace', ['-f', '-qq', '-e', 'trace=none', process.execPath, '--version']);
  return status === 0
    ? undefined
    : 'system calls are made to fail by strace, which is not here, or may not trace';
}
