/**
 * Which codecs this machine has: tests of one whose package is not installed are skipped, and say so.
 *
 * @module
 */

import type { Codec, CodecName } from '../../src/codec/codec.ts';
import { CODEC_NAMES, codecs } from '../../src/codec/registry.ts';
import { isVarveError } from '../../src/errors.ts';

/** A codec, or why there is none here. */
export interface CodecHere {
  name: CodecName;
  codec: Codec | undefined;
  /** What the title of a test says where it is skipped. */
  note: string;
}

async function find(name: CodecName): Promise<CodecHere> {
  try {
    return { name, codec: await codecs.load(name), note: '' };
  } catch (error) {
    if (!isVarveError(error, 'UNSUPPORTED')) throw error;
    return { name, codec: undefined, note: ` (skipped: ${error.message})` };
  }
}

/** All that there are, in the order of their numbers. */
export const CODECS_HERE: readonly CodecHere[] = await Promise.all(CODEC_NAMES.map(find));
