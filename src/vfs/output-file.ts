/**
 * A file that a command gives what it has made: whole afterwards, or as it was before. It is written under another name
 * beside the file, and renamed, where that is a regular file or none; links are followed, and the mode and
 * the owner stay. What is none (a device, a pipe, a terminal) is written straight to, and stays what it is.
 *
 * @module
 */

import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fromSystem, systemCode, VarveError } from '../errors.ts';
import { nodeVfs } from './node.ts';

/** So many links are followed, as Linux does. */
const LINKS_MAX = 40;
const MODE_OF_NEW = 0o666;
/** What is gathered before it is written. */
const PIECE_CHARACTERS = 256 * 1024;

/** Where bytes go. */
interface Target {
  /** The file itself, behind all links. */
  path: string;
  /** What is there; undefined where that is nothing. */
  stat: Stats | undefined;
  isStraight: boolean;
}

export class OutputFile {
  readonly #file: fs.FileHandle;
  readonly #target: Target;
  readonly #temporary: string | undefined;
  #gathered = '';

  private constructor(file: fs.FileHandle, target: Target, temporary: string | undefined) {
    this.#file = file;
    this.#target = target;
    this.#temporary = temporary;
  }

  /**
   * Begins to write a file.
   *
   * @throws VarveError `NOT_FOUND`, `NO_SPACE`, `READ_ONLY`, `IO`
   */
  static async create(path: string): Promise<OutputFile> {
    const target = await targetOf(path);
    return await told('open', path, async () => {
      if (target.isStraight) {
        const flags = fs.constants.O_WRONLY | fs.constants.O_APPEND;
        return new OutputFile(await fs.open(path, flags), target, undefined);
      }
      const temporary = temporaryOf(target.path);
      // Nobody else may read what becomes of a file that nobody else may read.
      const mode = (target.stat?.mode ?? MODE_OF_NEW) & 0o777;
      const file = await fs.open(temporary, 'wx', mode);
      return new OutputFile(file, target, temporary);
    });
  }

  /** Adds text. */
  async write(text: string): Promise<void> {
    this.#gathered += text;
    if (this.#gathered.length >= PIECE_CHARACTERS) await this.#flush();
  }

  /** Ends it, so that it is whole and durable; on failure it is as it was before. */
  async finish(): Promise<void> {
    const { path } = this.#target;
    const file = this.#file;
    try {
      await this.#flush();
      await told('write', path, async () => {
        if (this.#temporary !== undefined) {
          if (this.#target.stat !== undefined) await keepOwner(file, this.#target.stat);
          await file.datasync();
        }
        await file.close();
      });
      if (this.#temporary === undefined) return;
      await nodeVfs.rename(this.#temporary, path);
      await nodeVfs.syncDir(dirname(path));
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  /** Leaves the file as it was before; what was written straight stays written. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    if (this.#temporary !== undefined) await nodeVfs.remove(this.#temporary);
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#gathered);
    this.#gathered = '';
    const file = this.#file;
    await told('write', this.#target.path, async () => {
      for (let at = 0; at < bytes.length; )
        at += (await file.write(bytes, at, bytes.length - at, null)).bytesWritten;
    });
  }
}

/**
 * Finds out whether a file can be written, before something that takes long is done for it.
 *
 * @throws VarveError as `OutputFile.create`
 */
export async function checkWritable(path: string): Promise<void> {
  const { isStraight } = await targetOf(path);
  // To open a pipe is to wait for its reader.
  if (isStraight) await told('open', path, () => fs.access(path, fs.constants.W_OK));
  else await (await OutputFile.create(path)).discard();
}

async function targetOf(path: string): Promise<Target> {
  const stat = await told('look at', path, () => statOf(path));
  if (stat?.isDirectory() === true)
    throw new VarveError('IO', `${path} is a directory, and no file to write to`, { file: path });
  const isDescriptor = /^\/(?:dev|proc)\//.test(resolve(path));
  if (stat !== undefined && (!stat.isFile() || isDescriptor)) return { path, stat, isStraight: true };
  return { path: await told('look up', path, () => behindLinks(path)), stat, isStraight: false };
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await fs.stat(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The path behind links, also where nothing is there. */
async function behindLinks(path: string): Promise<string> {
  let at = path;
  for (let links = 0; links < LINKS_MAX; links++) {
    let link: string;
    try {
      link = await fs.readlink(at);
    } catch (error) {
      // It is no link, or nothing; what else is wrong is met again.
      if (['EINVAL', 'ENOENT', 'UNKNOWN'].includes(systemCode(error) ?? '')) return at;
      throw error;
    }
    at = resolve(dirname(at), link);
  }
  return at;
}

/** Beside the file, so that it can be renamed. */
function temporaryOf(path: string): string {
  return join(dirname(path), `${basename(path)}.${process.pid}.tmp`);
}

/** Gives a new file the owner and the mode of the one whose place it takes, or less. */
async function keepOwner(file: fs.FileHandle, { uid, gid, mode }: Stats): Promise<void> {
  const own = await file.stat();
  let allowed = mode & 0o777;
  if (own.uid !== uid || own.gid !== gid) {
    try {
      await file.chown(uid, gid);
    } catch {
      // Its group is another now, to whom nothing was allowed.
      allowed &= 0o707;
    }
  }
  await file.chmod(allowed);
}

async function told<T>(action: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof VarveError ? error : fromSystem(error, action, path);
  }
}
