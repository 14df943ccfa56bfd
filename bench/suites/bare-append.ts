/** The system calls without an engine: what appending costs at least, on this machine and from Node. */

import { closeSync, fdatasync, fdatasyncSync, openSync, write, writeSync } from 'node:fs';
import { latenciesOfSyncUs, latenciesUs, perSecond, RECORD_BYTES, recordAt } from '../workload.ts';

const MIB = 1 << 20;
const HEADER_BYTES = 20;

/**
 * A file of framed records, as one writes it by hand when it has to be fast and not to be safe: one
 * buffer, each record copied into it behind a header (length, offset, timestamp), no checksum, and one
 * positional write a MiB. The clock is read once a write.
 */
export class FramedFile {
  readonly #fd: number;
  readonly #buffer: Buffer = Buffer.alloc(MIB);
  readonly #view: DataView = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, MIB);
  #position = 0;
  #offset = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'wx');
  }

  /** Appends records; returns how many a second. */
  append(count: number): number {
    const began = performance.now();
    const buffer = this.#buffer;
    const view = this.#view;
    let used = 0;
    let timestamp = Date.now();
    for (let i = 0; i < count; i++) {
      const record = recordAt(i);
      if (used + HEADER_BYTES + record.length > MIB) {
        this.#write(used);
        used = 0;
        timestamp = Date.now();
      }
      const offset = this.#offset++;
      view.setUint32(used, record.length, true);
      view.setUint32(used + 4, offset >>> 0, true);
      view.setUint32(used + 8, (offset / 0x1_0000_0000) >>> 0, true);
      view.setFloat64(used + 12, timestamp, true);
      buffer.set(record, used + HEADER_BYTES);
      used += HEADER_BYTES + record.length;
    }
    this.#write(used);
    return perSecond(count, began);
  }

  #write(bytes: number): void {
    for (let done = 0; done < bytes; ) {
      done += writeSync(this.#fd, this.#buffer, done, bytes - done, this.#position + done);
    }
    this.#position += bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }
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

  /** On libuv's threads, one after the other; sorted. */
  latenciesOfCallbacksUs(count: number): Promise<Float64Array> {
    return latenciesUs(count, () => this.#appendByCallbacks());
  }

  #appendByCallbacks(): Promise<void> {
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
