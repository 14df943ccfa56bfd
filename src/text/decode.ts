/**
 * A stream of bytes into UTF-8 text: decompressed, then converted, as its first bytes or the caller say.
 *
 * @module
 */

import { pipeline, Readable, type Transform } from 'node:stream';
import { constants, createGunzip } from 'node:zlib';
import { type CodecRegistry, codecs } from '../codec/registry.ts';
import { cutAtFrames } from '../codec/zstd-pieces.ts';
import { isVarveError, systemCode, VarveError } from '../errors.ts';
import { type Compression, mayBecomeMore, recognize, type TextEncoding } from './recognize.ts';

type Bytes = AsyncGenerator<Uint8Array, void, undefined>;

/** What a decoder makes at once. */
const PIECE_BYTES: number = 128 * 1024;
/** Something compressed may be compressed itself; but not for ever. */
const LAYERS_MAX = 3;

/**
 * Yields a stream as text.
 *
 * @param stream what yields bytes, or strings, which are UTF-8 then
 * @param title what errors call it
 * @param encoding how characters are bytes, where the caller knows
 * @throws VarveError `CORRUPT` where it cannot be decompressed, `UNSUPPORTED` where nothing here can
 */
export async function* decodeText(
  stream: AsyncIterable<unknown>,
  title: string,
  encoding: TextEncoding | undefined,
  layers: number = LAYERS_MAX,
): Bytes {
  const pieces = bytesOf(stream);
  let first: Uint8Array = new Uint8Array(0);
  let isOver = false;
  while (!isOver && mayBecomeMore(first)) {
    const next = await pieces.next();
    if (next.done === true) isOver = true;
    else first = first.length === 0 ? next.value : Buffer.concat([first, next.value]);
  }
  const found = recognize(first, encoding);
  if (found.kind === 'compressed') {
    if (layers === 0)
      throw new VarveError('UNSUPPORTED', `${title} is compressed too many times`, { file: title });
    const decompressed = decompress(chained(first, pieces), found.compression, title);
    yield* decodeText(decompressed, title, encoding, layers - 1);
    return;
  }
  const text = chained(first.subarray(found.markBytes), pieces);
  yield* found.kind === 'plain' ? text : convert(text, found.encoding);
}

async function* bytesOf(stream: AsyncIterable<unknown>): Bytes {
  for await (const value of stream) {
    if (typeof value === 'string') yield Buffer.from(value);
    else if (value instanceof Uint8Array) yield value;
    else throw new TypeError(`a stream of text yields bytes or strings, not ${typeof value}`);
  }
}

async function* chained(first: Uint8Array, rest: Bytes): Bytes {
  try {
    if (first.length > 0) yield first;
    yield* rest;
  } finally {
    await rest.return();
  }
}

async function* decompress(pieces: Bytes, compression: Compression, title: string): Bytes {
  const decoder = await decoderOf(compression, title);
  const input = compression === 'zstd' ? cutAtFrames(pieces, title) : pieces;
  let failure: unknown;
  // What the source throws goes through as it is; it is kept here, since a stream's own errors are no more
  // than messages.
  const watched = Readable.from(
    (async function* (): Bytes {
      try {
        yield* input;
      } catch (error) {
        failure = error;
        throw error;
      }
    })(),
  );
  const output = pipeline(watched, decoder, () => undefined);
  try {
    for await (const piece of output) yield piece as Uint8Array;
  } catch (error) {
    if (failure !== undefined) throw failure;
    const reason = error instanceof Error ? error.message : String(error);
    const code = systemCode(error);
    throw new VarveError(
      'CORRUPT',
      `cannot decompress ${title}: ${reason}${code === undefined ? '' : ` (${code})`}`,
      {
        file: title,
        cause: error,
      },
    );
  } finally {
    output.destroy();
  }
}

async function decoderOf(compression: Compression, title: string): Promise<Transform> {
  if (compression === 'gzip') return createGunzip({ chunkSize: PIECE_BYTES, flush: constants.Z_NO_FLUSH });
  if (compression === 'zstd') return zstdDecoder(title);
  const message = `${title} is compressed with ${compression}, which is not read here; decompress it first`;
  throw new VarveError('UNSUPPORTED', message, { file: title });
}

/**
 * @param title what the error calls the text
 * @param registry where the codec comes from
 * @throws VarveError `UNSUPPORTED` where nobody has it; it says what is missing
 */
export async function zstdDecoder(title: string, registry: CodecRegistry = codecs): Promise<Transform> {
  try {
    return (await registry.load('zstd')).createDecoder();
  } catch (cause) {
    if (!isVarveError(cause, 'UNSUPPORTED')) throw cause;
    throw new VarveError('UNSUPPORTED', `${title}: ${cause.message}`, { file: title, cause });
  }
}

/** What stands for no character becomes U+FFFD. */
async function* convert(pieces: Bytes, encoding: Exclude<TextEncoding, 'utf-8'>): Bytes {
  if (encoding === 'latin1') {
    for await (const piece of pieces) {
      yield Buffer.from(Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1'));
    }
    return;
  }
  const decoder = new TextDecoder(encoding, { ignoreBOM: true });
  for await (const piece of pieces) {
    const text = decoder.decode(piece, { stream: true });
    if (text !== '') yield Buffer.from(text);
  }
  const rest = decoder.decode();
  if (rest !== '') yield Buffer.from(rest);
}
