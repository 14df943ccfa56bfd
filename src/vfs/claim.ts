/**
 * A claim: a file in the directory `LOCK` whose owner anybody can find to be alive or dead. See lock.ts for
 * what is made of them.
 *
 *     <pid>-<random>.sock                               a listening unix-domain socket
 *     <pid>-<random>-<started>-<boot>-<namespace>.pid   an empty file, where the file system has no sockets
 *     <pid>-<random>.tmp                                a socket that may not listen yet
 *
 * The kernel closes a listening socket when its process ends, however that ends, and then refuses whoever
 * connects; while the process lives, the backlog of the socket answers even if the process is stopped or
 * its event loop is busy. That holds across pid and network namespaces. A socket is made under a `.tmp`
 * name and renamed when it listens, so that a claim is alive from the moment it can be seen.
 *
 * A `.pid` claim puts everything into its name, because a name appears at once and whole. It is dead when
 * the machine has booted since, when there is no such process, or when that process started at another
 * time (the number was given out again). The owner cannot be looked up from another pid namespace; there
 * the claim counts as alive, because a lock that must be removed by hand is better than two writers.
 *
 * @module
 */

import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, readlink, rename, rm, symlink, unlink } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { systemCode } from '../errors.ts';
import { joinPath } from './vfs.ts';

/** A socket's path must fit into `sun_path`: 108 bytes on Linux, 104 on macOS, with a zero at the end. */
const SOCKET_PATH_BYTES_MAX = 100;
const ID_BYTES = 8;
const UNKNOWN = 'x';

/** What `listen` answers where the file system, or the sandbox, does not do sockets. */
const NO_SOCKETS = new Set([
  'EPERM',
  'EACCES',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EINVAL',
  'ENOSYS',
  'EAFNOSUPPORT',
  'EPROTONOSUPPORT',
  'EADDRNOTAVAIL',
  'ENAMETOOLONG',
  'ENXIO',
  'ERR_ACCESS_DENIED',
]);

/** Our own claim, visible and alive. */
export interface Claim {
  readonly name: string;
  /** Gives it up; it may already be gone. Never fails: what it leaves behind is dead. */
  withdraw(): Promise<void>;
}

/** A name in the directory of claims, taken apart. */
export interface ClaimName {
  readonly name: string;
  readonly kind: 'sock' | 'pid' | 'tmp';
  readonly pid: number;
  /** Random, then the attempt; also the order in which claimants that meet give way. */
  readonly id: string;
}

export type Liveness = 'alive' | 'dead' | 'gone';

const CLAIM_NAME = /^(\d+)-([0-9a-f]+)(?:-(\w+)-(\w+)-(\w+))?\.(sock|pid|tmp)$/;

/** Takes a name apart; undefined where it is none of ours. */
export function parseClaimName(name: string): ClaimName | undefined {
  const match = CLAIM_NAME.exec(name);
  if (match === null) return undefined;
  const [, pid = '', id = '', , , , kind] = match;
  return { name, kind: kind as ClaimName['kind'], pid: Number(pid), id };
}

/** What nobody else draws: the same in all the claims of one call of `lock`. */
export function drawId(): string {
  return randomBytes(ID_BYTES).toString('hex');
}

/**
 * Makes a claim in `directory`: a socket where that is possible, else a file that names this process.
 *
 * @param id from `drawId`
 * @param attempt 0, 1, 2 …: which of the claims with this id it is, as no name is used twice
 * @returns undefined where somebody took it for dead before it listened, and removed it
 */
export async function makeClaim(directory: string, id: string, attempt: number): Promise<Claim | undefined> {
  const base = `${process.pid}-${id}${attempt.toString(16).padStart(4, '0')}`;
  try {
    return await makeSocketClaim(directory, base);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return undefined;
    if (code === undefined || !NO_SOCKETS.has(code)) throw error;
  }
  return makePidClaim(directory, base);
}

/** Makes a claim that listens; fails where the file system has no sockets. */
export async function makeSocketClaim(directory: string, base: string): Promise<Claim> {
  const server = net.createServer((connection) => connection.destroy());
  const temporary = `${base}.tmp`;
  const name = `${base}.sock`;
  await withShortPath(directory, temporary, (path) => listen(server, path));
  server.unref();
  try {
    await rename(joinPath(directory, temporary), joinPath(directory, name));
  } catch (error) {
    await close(server);
    throw error;
  }
  return {
    name,
    async withdraw() {
      await unlink(joinPath(directory, name)).catch(() => {});
      await close(server);
    },
  };
}

/** Makes a claim that is only a name. */
export async function makePidClaim(directory: string, base: string): Promise<Claim> {
  const started = (await processState(process.pid))?.started ?? UNKNOWN;
  const name = `${base}-${started}-${await bootId()}-${await pidNamespace()}.pid`;
  const path = joinPath(directory, name);
  await (await open(path, 'wx')).close();
  return { name, withdraw: () => unlink(path).catch(() => {}) };
}

/** Finds out whether the owner of a claim lives. */
export function probeClaim(directory: string, claim: ClaimName): Promise<Liveness> {
  return claim.kind === 'pid' ? probePid(claim.name) : probeSocket(directory, claim.name);
}

async function probeSocket(directory: string, name: string): Promise<Liveness> {
  const code = await withShortPath(directory, name, connect);
  if (code === 'ECONNREFUSED' || code === 'ENOTSOCK') return 'dead';
  if (code === 'ENOENT') return 'gone';
  // It listens, or (backlog full, not ours to connect to) it cannot be ruled out.
  return 'alive';
}

async function probePid(name: string): Promise<Liveness> {
  const [, pidText, , started, boot, namespace] = CLAIM_NAME.exec(name) ?? [];
  const pid = Number(pidText);
  const ourBoot = await bootId();
  if (boot !== ourBoot && boot !== UNKNOWN && ourBoot !== UNKNOWN) return 'dead';
  if (namespace !== (await pidNamespace())) return 'alive';
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return 'dead';
  }
  const state = await processState(pid);
  if (state === undefined) return 'alive';
  if (state.ended) return 'dead';
  return started === UNKNOWN || state.started === started ? 'alive' : 'dead';
}

/** @returns the error code, or undefined where somebody listens */
function connect(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error) => resolve(systemCode(error) ?? 'UNKNOWN'));
  });
}

function listen(server: net.Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Anybody who may enter the directory must be able to ask. `exclusive` keeps a worker of node:cluster
    // from handing the socket to its primary, which would outlive it.
    server.listen({ path, exclusive: true, readableAll: true, writableAll: true }, () => {
      server.removeListener('error', reject);
      server.on('error', () => {});
      resolve();
    });
  });
}

function close(server: net.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/**
 * Runs `use` with a path to `name` in `directory` that fits into a socket address. A directory that is too
 * deep is reached through a descriptor of ours on Linux, and through a symbolic link elsewhere.
 */
async function withShortPath<T>(
  directory: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = joinPath(directory, name);
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return use(path);
  return process.platform === 'linux' ? viaDescriptor(directory, name, use) : viaLink(directory, name, use);
}

async function viaDescriptor<T>(
  directory: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const handle = await open(directory, 'r');
  try {
    return await use(`/proc/self/fd/${handle.fd}/${name}`);
  } finally {
    await handle.close();
  }
}

/** Exported for its test: Linux does not need it. */
export async function viaLink<T>(
  directory: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const temporary = await mkdtemp(joinPath(tmpdir(), 'varve-'));
  try {
    await symlink(directory, joinPath(temporary, 'd'));
    return await use(joinPath(temporary, 'd', name));
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** What /proc says of a process: when it started (clock ticks since boot), and whether it only waits to be reaped. */
async function processState(pid: number): Promise<{ started: string; ended: boolean } | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  if (stat === undefined) return undefined;
  // The second field is a name in parentheses, which may hold anything; the third follows the last of them.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  return { started: fields[22 - 3] ?? UNKNOWN, ended: state === 'Z' || state === 'X' };
}

async function bootId(): Promise<string> {
  const id = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => UNKNOWN);
  return id.trim().replaceAll('-', '');
}

async function pidNamespace(): Promise<string> {
  const link = await readlink('/proc/self/ns/pid').catch(() => UNKNOWN);
  return link.replaceAll(/\W/g, '').replace('pid', '');
}
