/**
 * Zstandard, from whoever has it: Node.js itself from 22.15 on, else the package `@cloudpss/zstd`, where the
 * program that uses varve has installed it.
 *
 * @module
 */

import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { VarveError } from '../errors.ts';

/** Not every Node.js has it, nor do the types of the oldest that this runs on. */
interface ZlibWithZstd {
  createZstdDecompress?: () => Transform;
}

/** Finds the package; it has no streams where its native part is missing. */
export type LoadZstd = () => Promise<{ Decompressor?: new () => Transform }>;

/** In a variable: whoever bundles or checks this must not look for a package that need not be there. */
const PACKAGE: string = '@cloudpss/zstd';

const loadPackage: LoadZstd = () => import(PACKAGE) as ReturnType<LoadZstd>;

/**
 * @param title what the error calls the text
 * @param load where Node.js has no Zstandard itself, how the package is found
 * @throws VarveError `UNSUPPORTED` where nobody has it
 */
export async function createZstdDecoder(title: string, load: LoadZstd = loadPackage): Promise<Transform> {
  const { createZstdDecompress } = zlib as ZlibWithZstd;
  if (createZstdDecompress !== undefined) return createZstdDecompress();
  let cause: unknown;
  try {
    const { Decompressor } = await load();
    if (Decompressor !== undefined) return new Decompressor();
  } catch (error) {
    cause = error;
  }
  const message = `${title} is compressed with Zstandard, which needs Node.js 22.15 or later, or the package ${PACKAGE}`;
  throw new VarveError('UNSUPPORTED', message, { file: title, cause });
}
