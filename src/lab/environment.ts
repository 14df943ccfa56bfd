/**
 * Where a result was measured: all that one needs to judge it and to repeat it.
 *
 * @module
 */

import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { realPath } from '../vfs/node.ts';
import { type Mount, mountOf, readText } from './proc.ts';

export interface Environment {
  readonly node: string;
  readonly v8: string;
  readonly platform: string;
  readonly arch: string;
  /** The operating system's name and release. */
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Of the directory that was written to: its type, as `ext4`; `unknown` where the system does not say. */
  readonly fileSystem: string;
  readonly mountOptions: string;
  /** The device below it, its model, and whether it turns; as far as the system says. */
  readonly device: string;
  /** `write back`: the disk may keep what it was given in a memory that a power cut empties, until it is told to flush. */
  readonly diskCache: string;
  /** Of the last 1, 5 and 15 minutes, before anything was measured. */
  readonly loadAverage: readonly number[];
}

/** File systems on which a sync promises nothing about a power cut, or means something else. */
const NOT_A_DISK: Readonly<Record<string, string>> = {
  tmpfs: 'lives in memory: nothing in it survives a power cut',
  ramfs: 'lives in memory: nothing in it survives a power cut',
  overlay: 'lies over another file system, whose promises are not known from here',
  nfs: 'is on another machine, which decides when its disk is synced',
  nfs4: 'is on another machine, which decides when its disk is synced',
  cifs: 'is on another machine, which decides when its disk is synced',
  smb3: 'is on another machine, which decides when its disk is synced',
  ceph: 'is on other machines, which decide when their disks are synced',
  lustre: 'is on other machines, which decide when their disks are synced',
  vboxsf: 'is lent by another system, which decides when its disk is synced',
  '9p': 'is lent by another system, which decides when its disk is synced',
  virtiofs: 'is lent by another system, which decides when its disk is synced',
};

/** Mount options with which a sync does not reach the disk. */
const UNSAFE_OPTIONS: readonly string[] = ['nobarrier', 'barrier=0'];

/**
 * Describes the machine.
 *
 * @param directory where the laboratory writes; it exists
 */
export async function describeEnvironment(directory: string): Promise<Environment> {
  const mount = await findMount(directory);
  return {
    node: process.version,
    v8: process.versions.v8,
    platform: process.platform,
    arch: process.arch,
    kernel: `${type()} ${release()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    fileSystem: mount?.type ?? 'unknown',
    mountOptions: mount?.options ?? '',
    device: await describeDevice(mount),
    diskCache: (await deviceText(mount, 'queue/write_cache')) ?? 'unknown',
    loadAverage: loadavg().map((load) => Math.round(load * 100) / 100),
  };
}

/** The file system that holds a directory; undefined where the system does not say. */
export async function findMount(directory: string): Promise<Mount | undefined> {
  const mountinfo = await readText('/proc/self/mountinfo');
  return mountinfo === undefined ? undefined : mountOf(mountinfo, await realPath(directory));
}

/** A file that the kernel keeps about a device; a partition has some of them with its disk. */
async function deviceText(mount: Mount | undefined, name: string): Promise<string | undefined> {
  if (mount === undefined) return undefined;
  const folder = `/sys/dev/block/${mount.device}`;
  const text = (await readText(`${folder}/${name}`)) ?? (await readText(`${folder}/../${name}`));
  return text?.trim();
}

async function describeDevice(mount: Mount | undefined): Promise<string> {
  if (mount === undefined) return 'unknown';
  const model = await deviceText(mount, 'device/model');
  const rotates = await deviceText(mount, 'queue/rotational');
  const kind = rotates === undefined ? undefined : rotates === '1' ? 'turns' : 'does not turn';
  return [mount.source, model, kind].filter((part) => part !== undefined && part !== '').join(', ');
}

/** What is known from the start to make the figures say less than they seem to, in sentences. */
export function warningsOf(environment: Environment): string[] {
  const { fileSystem, mountOptions, loadAverage, cores } = environment;
  const warnings: string[] = [];
  const why = NOT_A_DISK[fileSystem];
  if (why !== undefined) warnings.push(`The directory is on ${fileSystem}, which ${why}.`);
  if (fileSystem.startsWith('fuse')) {
    warnings.push(`The directory is on ${fileSystem}: what a sync means there is up to a program.`);
  }
  const unsafe = mountOptions.split(',').filter((option) => UNSAFE_OPTIONS.includes(option));
  if (unsafe.length > 0) {
    warnings.push(
      `It is mounted with ${unsafe.join(', ')}: the disk is not told to empty its cache, and a power cut may take what was synced.`,
    );
  }
  const [lastMinute = 0] = loadAverage;
  if (lastMinute > cores / 2) {
    warnings.push(`The machine was busy before the run began: a load of ${lastMinute} on ${cores} cores.`);
  }
  return warnings;
}
