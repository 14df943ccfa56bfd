/** The system calls without an engine: what appending costs at least, on this machine and from Node. */

import { closeSync, fdatasync, fdatasyncSync, openSync, rmSync, write, writeSync } from 'node:fs';
import { latenciesOfSyncUs, perSecond, RECORD_BYTES, recordAt } from '../workload.ts';

const MIB = 1 << 20;
const HEADER_BYTES = 20;

/**
 * Appends framed records to a new file, as one does it by hand when it has to be fast and not to be safe:
 * one buffer, each record copied into it behind a header (length, offset, timestamp), no checksum, and one
 * positional write a MiB. The clock is read once a write. The file is removed afterwards.
 *
 * @returns records a second
 */
export function framedAppend(path: string, count: number): number {
  const fd = openSync(path, 'wx');
  const buffer = Buffer.alloc(MIB);
  const view = new DataView(buffer.buffer, buffer.byteOffset, MIB);
  const began = performance.now();
  let position = 0;
  let used = 0;
  let timestamp = Date.now();
  for (let offset = 0; offset < count; offset++) {
    const record = recordAt(offset);
    if (used + HEADER_BYTES + record.length > MIB) {
      position += writeAll(fd, buffer, used, position);
      used = 0;
      timestamp = Date.now();
    }
    view.setUint32(used, record.length, true);
    view.setUint32(used + 4, offset >>> 0, true);
    view.setUint32(used + 8, (offset / 0x1_0000_0000) >>> 0, true);
    view.setFloat64(used + 12, timestamp, true);
    buffer.set(record, used + HEADER_BYTES);
    used += HEADER_BYTES + record.length;
  }
  writeAll(fd, buffer, used, position);
  const rate = perSecond(count, began);
  closeSync(fd);
  rmSync(path);
  return rate;
}

function writeAll(fd: number, buffer: Buffer, bytes: number, position: number): number {
  for (let done = 0; done < bytes; ) done += writeSync(fd, buffer, done, bytes - done, position + done);
  return bytes;
}

/** A file that grows by one write and one fdatasync at a time. */
export class AppendFile {
  readonly #fd: number;
  readonly #data: Buffer;
  #position = 0;

  /** @param bytes the size of each write */
  constructor(path: string, bytes: number) {
    this.#fd = openSync(path, 'wx');
    this.#data = Buffer.alloc(bytes);
    for (let at = 0; at < bytes; at += RECORD_BYTES) this.#data.set(recordAt(at).subarray(0, bytes - at), at);
  }

  /** On this thread, one after the other; sorted. */
  latenciesUs(count: number): Float64Array {
    const data = this.#data;
    return latenciesOfSyncUs(count, () => {
      writeSync(this.#fd, data, 0, data.length, this.#position);
      this.#position += data.length;
      fdatasyncSync(this.#fd);
    });
  }

  /** One write and one fdatasync on libuv's threads; several may be under way. */
  append(): Promise<void> {
    const data = this.#data;
    const position = this.#position;
    this.#position += data.length;
    return new Promise((resolve, reject) => {
      write(this.#fd, data, 0, data.length, position, (writeError) => {
        if (writeError !== null) return reject(writeError);
        fdatasync(this.#fd, (syncError) => {
          if (syncError === null || syncError === undefined) resolve();
          else reject(syncError);
        });
      });
    });
  }

  close(): void {
    closeSync(this.#fd);
  }
}
