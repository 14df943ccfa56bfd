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

interface ZstdPackage {
  Decompressor: new () => Transform;
}

/** In a variable: whoever bundles or checks this must not look for a package that need not be there. */
const PACKAGE: string = '@cloudpss/zstd';

/**
 * @param title what the error calls the text
 * @throws VarveError `UNSUPPORTED` where nobody has it
 */
export async function createZstdDecoder(title: string): Promise<Transform> {
  const { createZstdDecompress } = zlib as ZlibWithZstd;
  if (createZstdDecompress !== undefined) return createZstdDecompress();
  let found: ZstdPackage;
  try {
    found = (await import(PACKAGE)) as ZstdPackage;
  } catch (cause) {
    const message = `${title} is compressed with Zstandard, which needs Node.js 22.15 or later, or the package ${PACKAGE}`;
    throw new VarveError('UNSUPPORTED', message, { file: title, cause });
  }
  return new found.Decompressor();
}
