/**
 * A file as text, read through the contract with the disk.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { Vfs, VfsFile } from '../vfs/vfs.ts';
import { decodeText } from './decode.ts';
import { recognize } from './recognize.ts';
import type { PlainText, TextOptions, TextSource } from './source.ts';
import { StreamSource } from './stream-source.ts';

/** What is read of a compressed file at once. */
const PIECE_BYTES: number = 256 * 1024;
const HEADER_BYTES = 8;
const UNKNOWN_END: number = Number.POSITIVE_INFINITY;

/**
 * Opens a file. It is read as far as it goes now: what is appended meanwhile is not. What it is, is seen from
 * its first bytes: compressed, UTF-16, or text as it is.
 *
 * @throws VarveError `NOT_FOUND`, `READ_ONLY` or `IO` where it cannot be opened, `UNSUPPORTED` where it is
 * no file, or compressed in a way that cannot be read here
 */
export async function openFile(vfs: Vfs, path: string, options: TextOptions): Promise<TextSource> {
  const stat = await vfs.stat(path);
  if (stat?.kind === 'directory') {
    throw new VarveError('UNSUPPORTED', `${path} is a directory, not a file of lines`, { file: path });
  }
  if (stat?.kind === 'other') {
    const reason = 'is no regular file; it can be read as standard input';
    throw new VarveError('UNSUPPORTED', `${path} ${reason}`, { file: path });
  }
  const file = await vfs.open(path, 'read');
  try {
    const end = await file.size();
    const header = new Uint8Array(HEADER_BYTES);
    const headerBytes = file.readSync(header, 0);
    const found = recognize(header.subarray(0, headerBytes), options.encoding);
    // What the system makes up as it is read (/proc) says that it has no bytes.
    const isMadeUp = end === 0 && headerBytes > 0;
    if (isMadeUp) {
      return new StreamSource(
        decodeText(piecesOf(file, UNKNOWN_END), path, options.encoding),
        options,
        path,
        () => file.close(),
      );
    }
    if (found.kind === 'plain') return new FileSource({ file, start: found.markBytes, end });
    return new StreamSource(decodeText(piecesOf(file, end), path, options.encoding), options, path, () =>
      file.close(),
    );
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** @throws VarveError `IO` where the file ends before `end` */
async function* piecesOf(file: VfsFile, end: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let position = 0; position < end; ) {
    // A new one each time: whoever has the last may not be done with it.
    const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, end - position));
    const bytes = await file.read(piece, position);
    position += bytes;
    if (bytes > 0) yield piece.subarray(0, bytes);
    if (end === UNKNOWN_END && bytes === 0) return;
    if (end !== UNKNOWN_END && bytes < piece.length) throw shorterError(file.path, end, position);
  }
}

/** The error of a file that lost its end while it was read. */
export function shorterError(path: string, bytes: number, position: number): VarveError {
  const message = `${path} became shorter while it was read: it had ${bytes} bytes and ends after ${position}`;
  return new VarveError('IO', message, { file: path, position });
}

class FileSource implements TextSource {
  readonly title: string;
  readonly plain: PlainText;
  #position: number;

  constructor(plain: PlainText) {
    this.title = plain.file.path;
    this.plain = plain;
    this.#position = plain.start;
  }

  get isOver(): boolean {
    return this.#position >= this.plain.end;
  }

  async read(target: Uint8Array): Promise<number> {
    const { file, end } = this.plain;
    const wanted = Math.min(target.length, end - this.#position);
    if (wanted <= 0) return 0;
    const bytes = await file.read(target.subarray(0, wanted), this.#position);
    this.#position += bytes;
    if (bytes < wanted) throw shorterError(this.title, end, this.#position);
    return bytes;
  }

  close(): Promise<void> {
    return this.plain.file.close();
  }
}
