/** Where a result was measured: everything one needs to judge it or to repeat it. */

import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mountOf } from '../src/lab/proc.ts';

export interface Environment {
  readonly date: string;
  /** The version of varve, and the commit, with `+` where files differ from it. */
  readonly varve: string;
  readonly commit: string | null;
  readonly node: string;
  readonly v8: string;
  readonly platform: string;
  readonly arch: string;
  /** The operating system's name and release. */
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Of the directory that was written to. */
  readonly fileSystem: string;
  /** Of the last 1, 5 and 15 minutes, before the bench began. */
  readonly loadAverage: readonly number[];
  /** What makes the numbers less than they seem, in sentences. */
  readonly warnings: readonly string[];
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** File systems on which a sync promises nothing about power loss, or means something else. */
const notADisk = new Set(['tmpfs', 'ramfs', 'overlay', 'nfs', 'nfs4', 'cifs', 'smb3', '9p', 'fuse.sshfs']);

function git(...args: string[]): string | null {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return null;
  }
}

function commit(): string | null {
  const head = git('rev-parse', '--short=12', 'HEAD')?.trim();
  if (head === undefined) return null;
  return git('status', '--porcelain', '--untracked-files=no')?.trim() === '' ? head : `${head}+`;
}

/** The file system of a directory; 'unknown' outside Linux. */
function fileSystemOf(directory: string): string {
  try {
    const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8');
    return mountOf(mountinfo, realpathSync(directory))?.type ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

function version(): string {
  return (JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { version: string }).version;
}

/**
 * Describes the machine.
 *
 * @param directory where the bench writes
 */
export function describeEnvironment(directory: string): Environment {
  const fileSystem = fileSystemOf(directory);
  const cores = availableParallelism();
  const load = loadavg();
  const warnings: string[] = [];
  if (notADisk.has(fileSystem)) {
    warnings.push(`The directory is on ${fileSystem}: what syncs cost there says nothing about a disk.`);
  }
  return {
    date: new Date().toISOString(),
    varve: version(),
    commit: commit(),
    node: process.version,
    v8: process.versions.v8,
    platform: process.platform,
    arch: process.arch,
    kernel: `${type()} ${release()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores,
    memoryBytes: totalmem(),
    fileSystem,
    loadAverage: load.map((value) => Math.round(value * 100) / 100),
    warnings,
  };
}
