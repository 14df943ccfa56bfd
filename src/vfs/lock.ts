/**
 * The lock of a directory, without native code. Node has no `flock`, so the lock is made of claims (see
 * claim.ts): names in the directory `LOCK` that are alive exactly as long as their owner is.
 *
 *     1. Look at the claims of others. One that is alive: the directory is taken.
 *     2. Make a claim. It is alive from the moment that others can see it.
 *     3. Look again, and remove the claims that are dead. Nobody else is alive: the lock is ours.
 *     4. Somebody else is. One of the two must give way: the one with the greater random id withdraws
 *        and starts over after a moment; the other looks again until it is alone.
 *
 * Why two can never have it: of two owners one made its claim later, and looked (step 3) after that; the
 * claim of the other was there and alive then, so it cannot have found itself alone. Names are random and
 * never used twice, so to remove a dead claim is always right, whoever else does the same. Nothing depends
 * on time or on the order of names but how soon one of them gets through.
 *
 * What it does not do: two machines that share a network file system cannot see each other's sockets.
 * On BSD and macOS a full backlog looks like a dead socket; it takes over a hundred attempts against an
 * owner that is stopped all the while to get there.
 *
 * Windows has named pipes, which are exclusive by themselves: there the pipe is the lock, and the file in
 * `LOCK` only tells who has it.
 *
 * @module
 */

import { createHash } from 'node:crypto';
import { mkdir, readdir, realpath, stat, unlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { systemClock } from '../clock.ts';
import { fromSystem, systemCode } from '../errors.ts';
import { lockedError } from './checks.ts';
import { type Claim, type ClaimName, drawId, makeClaim, parseClaimName, probeClaim } from './claim.ts';
import { pause } from './pause.ts';
import { joinPath, type VfsLock } from './vfs.ts';

export const LOCK_DIRECTORY_NAME = 'LOCK';

/** How long claimants that meet try to settle it before they report the directory as taken. */
const CONTENTION_MS = 100;
const PAUSE_MS_MAX = 8;
/** A claim this old is no claimant that will give way in a moment: its owner has the lock, or is dead. */
const OLD_MS = 1000;

/** The claims of this process that have become locks, to tell a second handle so without delay. */
const heldHere = new Set<string>();

/**
 * Takes `directory` for the caller alone; see {@link VfsLock}.
 *
 * @throws VarveError `LOCKED` where somebody has it, `READ_ONLY` where no claim can be made
 */
export async function lockDirectory(directory: string): Promise<VfsLock> {
  try {
    const real = await realpath(directory);
    const lock = process.platform === 'win32' ? await lockByPipe(real) : await lockByClaim(real);
    if ('release' in lock) return lock;
    throw lockedError(directory, lock.pid);
  } catch (error) {
    throw fromSystem(error, 'lock', directory);
  }
}

/** Who has it. */
interface Owner {
  readonly pid: number | undefined;
}

async function lockByClaim(directory: string): Promise<VfsLock | Owner> {
  const claims = joinPath(directory, LOCK_DIRECTORY_NAME);
  await makeDirectory(claims);
  const id = drawId();
  const giveUpAt = systemClock.monotonic() + CONTENTION_MS;
  for (let attempt = 0; ; attempt++) {
    const owner = await findRival(claims);
    if (owner === undefined) {
      const claim = await makeClaim(claims, id, attempt);
      if (claim !== undefined && (await settle(claims, claim, giveUpAt))) return holding(claim);
    } else if (systemClock.monotonic() >= giveUpAt || (await isHeld(claims, owner))) {
      return owner;
    }
    await pause(1 + (Number.parseInt(id.charAt(attempt % id.length), 16) % PAUSE_MS_MAX));
  }
}

function holding(claim: Claim): VfsLock {
  heldHere.add(claim.name);
  return {
    release: once(async () => {
      heldHere.delete(claim.name);
      await claim.withdraw();
    }),
  };
}

/** With our claim made, finds out whether the lock is ours; where it is not, the claim is withdrawn. */
async function settle(claims: string, claim: Claim, giveUpAt: number): Promise<boolean> {
  try {
    for (;;) {
      const rival = await findRival(claims, claim);
      if (rival === undefined) return true;
      const ours = parseClaimName(claim.name)?.id ?? '';
      if (ours > rival.id || systemClock.monotonic() >= giveUpAt) break;
      await pause(1);
    }
  } catch (error) {
    await claim.withdraw();
    throw error;
  }
  await claim.withdraw();
  return false;
}

/**
 * Looks for a claim of somebody else that is alive, the one with the least id if there are several.
 * With a claim of our own, dead ones are removed.
 */
async function findRival(claims: string, own?: Claim): Promise<ClaimName | undefined> {
  let rival: ClaimName | undefined;
  for (const name of await readdir(claims)) {
    const other = parseClaimName(name);
    if (other === undefined || name === own?.name) continue;
    // A socket under its temporary name claims nothing yet; its owner will look after it is renamed. A young
    // one may be about to listen, and only looks dead.
    if (other.kind === 'tmp' && !(await isOld(claims, other))) continue;
    const liveness = await probeClaim(claims, other);
    if (liveness === 'dead' && own !== undefined) await removeDead(joinPath(claims, name));
    if (liveness !== 'alive' || other.kind === 'tmp') continue;
    if (rival === undefined || other.id < rival.id) rival = other;
  }
  return rival;
}

async function removeDead(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

/** Whether a claim is known to be a lock; one that is young and not ours may still be given up. */
async function isHeld(claims: string, claim: ClaimName): Promise<boolean> {
  return heldHere.has(claim.name) || (await isOld(claims, claim));
}

async function isOld(claims: string, claim: ClaimName): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(joinPath(claims, claim.name));
    return systemClock.now() - mtimeMs > OLD_MS;
  } catch {
    return false;
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
}

/** Windows: a pipe name belongs to one server, and goes with its process. */
async function lockByPipe(directory: string): Promise<VfsLock | Owner> {
  const note = joinPath(directory, LOCK_DIRECTORY_NAME);
  await makeDirectory(note);
  const hash = createHash('sha256').update(directory.toLowerCase()).digest('hex');
  const server = net.createServer((connection) => connection.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: `\\\\.\\pipe\\varve-${hash}`, exclusive: true }, resolve);
    });
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    const [owner] = await readdir(note);
    return { pid: owner === undefined ? undefined : Number(owner) };
  }
  server.unref();
  for (const old of await readdir(note)) await unlink(joinPath(note, old)).catch(() => {});
  const own = joinPath(note, String(process.pid));
  await writeFile(own, '').catch(() => {});
  return {
    release: once(async () => {
      await unlink(own).catch(() => {});
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    }),
  };
}

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= action();
    return done;
  };
}
