/**
 * The engines that varve is compared with. They are native code, so they live in a package of their own
 * (bench/peers), which is installed by the first bench that needs it and never with varve. Where that
 * fails, the rows that need them say why instead of a number.
 *
 * Only what the benches call is typed here: the peers' own types are not there before they are installed.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export interface LmdbDatabase {
  put(key: number, value: Buffer): Promise<boolean>;
  getBinary(key: number): Buffer | undefined;
  getRange(options?: { snapshot?: boolean }): Iterable<{ key: number; value: Buffer }>;
  readonly flushed: Promise<boolean>;
  close(): Promise<void>;
}

export interface LmdbModule {
  readonly open: (options: {
    path: string;
    encoding: 'binary';
    keyEncoding: 'uint32';
    noSync: boolean;
    overlappingSync?: boolean;
    noMemInit: boolean;
  }) => LmdbDatabase;
}

export interface LevelDatabase {
  open(): Promise<void>;
  put(key: Buffer, value: Buffer, options: { sync: boolean }): Promise<void>;
  batch(operations: readonly { type: 'put'; key: Buffer; value: Buffer }[]): Promise<void>;
  close(): Promise<void>;
}

export interface ClassicLevelModule {
  ClassicLevel: new (
    path: string,
    options: { keyEncoding: 'buffer'; valueEncoding: 'buffer'; compression: boolean },
  ) => LevelDatabase;
}

export interface NodeRsCrc32Module {
  readonly crc32c: (data: Buffer, initial?: number) => number;
}

interface SqliteStatement {
  run(...values: unknown[]): unknown;
}

interface SqliteDatabase {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): SqliteStatement;
  transaction<Args extends unknown[]>(run: (...args: Args) => void): (...args: Args) => void;
  close(): unknown;
}

export type SqliteModule = new (path: string) => SqliteDatabase;

interface SonicBoomFile {
  write(data: Buffer): boolean;
  flush(done: (error?: Error | null) => void): void;
  end(): void;
  once(event: 'ready' | 'drain' | 'close', listener: () => void): unknown;
  setMaxListeners(count: number): unknown;
}

export interface SonicBoomModule {
  readonly SonicBoom: new (options: {
    dest: string;
    fsync: boolean;
    sync: boolean;
    contentMode: 'buffer';
  }) => SonicBoomFile;
}

export type HypercoreModule = new (
  path: string,
) => { ready(): Promise<void>; append(block: Buffer | Buffer[]): Promise<unknown>; close(): Promise<void> };

export type FlumelogModule = (
  path: string,
  options: { blockSize: number },
) => {
  append(value: Buffer | Buffer[], done: (error?: Error | null, offset?: number) => void): void;
};

interface PeerModules {
  lmdb: LmdbModule;
  'better-sqlite3': SqliteModule;
  'sonic-boom': SonicBoomModule;
  hypercore: HypercoreModule;
  'flumelog-offset': FlumelogModule;
  'classic-level': ClassicLevelModule;
  '@node-rs/crc32': NodeRsCrc32Module;
}

/** A peer that is there, or the reason why it is not. */
export type Peer<T> =
  | { readonly module: T; readonly missing: null }
  | { readonly module: null; readonly missing: string };

export interface Peers {
  load<Name extends keyof PeerModules>(name: Name): Peer<PeerModules[Name]>;
}

/** For runs that are not about numbers. */
export function noPeers(reason: string): Peers {
  return { load: () => ({ module: null, missing: reason }) };
}

const folder = fileURLToPath(new URL('./peers', import.meta.url));

/** Whether what is installed is what the lock file asks for: npm leaves a copy of it as its last step. */
function isInstalled(): boolean {
  const stamp = `${folder}/node_modules/.package-lock.json`;
  if (!existsSync(stamp)) return false;
  type Lock = { packages: Record<string, { version?: string; optional?: boolean }> };
  const present = (JSON.parse(readFileSync(stamp, 'utf8')) as Lock).packages;
  const wanted = (JSON.parse(readFileSync(`${folder}/package-lock.json`, 'utf8')) as Lock).packages;
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional === true || present[path]?.version === entry.version,
  );
}

/** Installs the peers; returns why it failed, or null. Binaries come ready-made, but for one, so no script runs. */
function install(): string | null {
  const flags = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = spawnSync('npm', flags, {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (result.error !== undefined) return `npm could not be started: ${result.error.message}`;
  if (result.status === 0) return null;
  const line =
    result.stderr.split('\n').find((text) => text.includes('npm error')) ?? result.stderr.split('\n')[0];
  return `npm ci in bench/peers failed: ${(line ?? '').replace('npm error', '').trim()}`;
}

/** The one peer whose binary has to be built here; returns why it failed, or null. */
function build(say: (text: string) => void): string | null {
  if (existsSync(`${folder}/node_modules/better-sqlite3/build/Release/better_sqlite3.node`)) return null;
  say('building better-sqlite3, which takes a minute or two (npm rebuild in bench/peers)');
  const result = spawnSync('npm', ['rebuild', 'better-sqlite3', '--loglevel=error'], {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  return result.status === 0 ? null : 'npm rebuild better-sqlite3 in bench/peers failed';
}

/**
 * The peers as installed in bench/peers; the first call of `load` installs them.
 *
 * @param say told when something is installed, which takes a while
 */
export function installedPeers(say: (text: string) => void): Peers {
  const require = createRequire(`${folder}/package.json`);
  let failure: string | null | undefined;
  return {
    load(name) {
      if (failure === undefined) {
        if (isInstalled()) failure = null;
        else {
          say('installing the peers (npm ci in bench/peers)');
          failure = install();
        }
      }
      if (failure !== null) return { module: null, missing: failure };
      const unbuilt = name === 'better-sqlite3' ? build(say) : null;
      if (unbuilt !== null) return { module: null, missing: unbuilt };
      try {
        return { module: require(name) as PeerModules[typeof name], missing: null };
      } catch (error) {
        return { module: null, missing: `${name} does not load: ${(error as Error).message.split('\n')[0]}` };
      }
    },
  };
}
