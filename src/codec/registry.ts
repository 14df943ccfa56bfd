/**
 * The codecs, each loaded when it is first needed, and the one place that knows where each comes from:
 *
 * | codec   | from                                                                        | used by                 |
 * |---------|-----------------------------------------------------------------------------|-------------------------|
 * | deflate | node:zlib                                                                   | tables                  |
 * | gzip    | node:zlib                                                                   | batches, log files      |
 * | snappy  | the package `snappy`                                                        | batches                 |
 * | lz4     | the package `lz4-napi`                                                      | batches, tables         |
 * | zstd    | node:zlib where it has it (22.15, 23.8 and later), else `@cloudpss/zstd`    | batches, tables, log files |
 *
 * Packages are optional: who does not use a codec need not have it. Where Node.js has Zstandard the package
 * is never loaded, since both would bring symbols of the same names into one process.
 *
 * @module
 */

import { isVarveError, VarveError } from '../errors.ts';
import type { AnyCodecName, Codec, CodecName, Levels, StreamingCodec } from './codec.ts';
import { deflate } from './deflate.ts';
import { GZIP_LEVELS, gzip } from './gzip.ts';
import { createLz4, type Lz4Package } from './lz4.ts';
import { createSnappy, type SnappyPackage } from './snappy.ts';
import { createBuiltInZstd, createPackagedZstd, ZSTD_LEVELS, type ZstdPackage } from './zstd.ts';

/** Those that batches may be compressed with. */
export const CODEC_NAMES: readonly CodecName[] = ['gzip', 'snappy', 'lz4', 'zstd'];

/** The levels of those that have any. */
export const CODEC_LEVELS: Readonly<Record<CodecName, Levels | undefined>> = {
  gzip: GZIP_LEVELS,
  snappy: undefined,
  lz4: undefined,
  zstd: ZSTD_LEVELS,
};

/** Imports a package by its name. */
export type ImportPackage = (name: string) => Promise<unknown>;

/** Where a codec comes from that Node.js itself does not have. */
interface Source {
  /** The name of the package, or of a file of it. */
  readonly module: string;
  /** What somebody has to install, or do. */
  readonly needs: string;
  readonly create: (module: never) => Codec;
}

/** Those that Node.js does not always have. */
type PackagedName = Exclude<AnyCodecName, 'deflate' | 'gzip'>;

const SOURCES: Readonly<Record<PackagedName, Source>> = {
  snappy: {
    module: 'snappy',
    needs: 'the package snappy',
    create: (module: SnappyPackage) => createSnappy(module),
  },
  lz4: {
    module: 'lz4-napi',
    needs: 'the package lz4-napi',
    create: (module: Lz4Package) => createLz4(module),
  },
  zstd: {
    module: '@cloudpss/zstd/napi',
    needs: 'the package @cloudpss/zstd, or Node.js 22.15 or later',
    create: (module: ZstdPackage) => createPackagedZstd(module),
  },
};

type AnyCodec = Codec<AnyCodecName>;

export class CodecRegistry {
  readonly #import: ImportPackage;
  readonly #loaded: Map<AnyCodecName, AnyCodec> = new Map<AnyCodecName, AnyCodec>([
    ['deflate', deflate],
    ['gzip', gzip],
  ]);
  readonly #loading: Map<AnyCodecName, Promise<AnyCodec>> = new Map();
  readonly #missing: Map<AnyCodecName, VarveError> = new Map();

  /**
   * @param importPackage how packages are loaded
   * @param builtInZstd what Node.js has; null where it has none
   */
  constructor(
    importPackage: ImportPackage = (name) => import(name),
    builtInZstd: StreamingCodec | null = createBuiltInZstd() ?? null,
  ) {
    this.#import = importPackage;
    if (builtInZstd !== null) this.#loaded.set('zstd', builtInZstd);
  }

  /**
   * Loads a codec.
   *
   * @throws VarveError `UNSUPPORTED` where it is not to be had; it says what is missing
   */
  load(name: 'zstd'): Promise<StreamingCodec>;
  load(name: CodecName): Promise<Codec>;
  load(name: AnyCodecName): Promise<AnyCodec>;
  load(name: AnyCodecName): Promise<AnyCodec> {
    const found = this.#loaded.get(name);
    if (found !== undefined) return Promise.resolve(found);
    let loading = this.#loading.get(name);
    if (loading === undefined) {
      loading = this.#load(name as PackagedName);
      this.#loading.set(name, loading);
    }
    return loading;
  }

  /** A codec that has been loaded; undefined where nobody has, or it is not to be had. */
  loaded(name: CodecName): Codec | undefined {
    return this.#loaded.get(name) as Codec | undefined;
  }

  /** Whether a codec has been loaded. */
  has(name: AnyCodecName): boolean {
    return this.#loaded.has(name);
  }

  /** Why a codec could not be loaded, where it was tried. */
  missing(name: AnyCodecName): VarveError | undefined {
    return this.#missing.get(name);
  }

  /** Loads a codec; where it is not to be had, whoever needs it is told so then. */
  async settle(name: AnyCodecName): Promise<void> {
    if (this.#loaded.has(name)) return;
    await this.load(name).catch((error: unknown) => {
      if (!isVarveError(error, 'UNSUPPORTED')) throw error;
    });
  }

  /**
   * A codec that was settled.
   *
   * @throws VarveError `UNSUPPORTED` where it is not to be had; it says what is missing
   */
  settled(name: AnyCodecName): AnyCodec {
    const codec = this.#loaded.get(name);
    if (codec !== undefined) return codec;
    throw this.#missing.get(name) ?? new VarveError('UNSUPPORTED', `the codec ${name} has not been loaded`);
  }

  async #load(name: PackagedName): Promise<Codec> {
    const { module, needs, create } = SOURCES[name];
    try {
      const found = (await this.#import(module)) as { default?: unknown };
      // A package in the older form of modules has its functions there.
      const isOlder = typeof found.default === 'object' && found.default !== null;
      const codec = create((isOlder ? found.default : found) as never);
      this.#loaded.set(name, codec);
      return codec;
    } catch (cause) {
      const message = `compression with ${name} needs ${needs}, which is not there (this is Node.js ${process.versions.node})`;
      const error = new VarveError('UNSUPPORTED', message, { cause });
      this.#missing.set(name, error);
      throw error;
    }
  }
}

/** The codecs of this thread. */
export const codecs: CodecRegistry = new CodecRegistry();
