/**
 * What a process that is going to be killed is told, and how it says what it got acknowledged.
 *
 * An acknowledgement counts once it came out of the pipe. It is written in one piece, by a call that blocks:
 *
 *     0        4          8        16      20      24
 *     +--------+----------+--------+-------+-------+
 *     | client | sequence | offset | hash  | zero  |
 *     |  u32   |   u32    |  f64   | u32   |       |
 *     +--------+----------+--------+-------+-------+
 *
 * The client READY is none: it says that the log is open, and its next offset.
 *
 * @module
 */

import type { LogOptions } from '../../src/log/options.ts';

/** The ways in which a client uses the log. */
export const CLIENT_KINDS = ['append', 'pipeline', 'many', 'enqueue', 'framed', 'follow', 'get'] as const;
export type ClientKind = (typeof CLIENT_KINDS)[number];

/** What one process is told. */
export interface Incarnation {
  directory: string;
  /** Of the contents. */
  contentSeed: number;
  /** Of what it does. */
  seed: number;
  /** The number of its first client; no two processes share one. */
  firstClient: number;
  clients: ClientKind[];
  /** How many records it appends at most; then it waits for its end. */
  records: number;
  options: LogOptions;
  /** It kills itself in the middle of its call to the disk with this number. */
  fatalCall: number | undefined;
  /** How much of the bytes is written before, where that call is a write. */
  fatalShare: number;
}

export const LOG_NAME = 'events';
export const READY = 0xffff_ffff;
export const FRAME_BYTES = 24;

/** A record that was acknowledged. */
export interface Acknowledged {
  client: number;
  sequence: number;
  offset: number;
  hash: number;
}

export function encodeFrame({ client, sequence, offset, hash }: Acknowledged): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32BE(client, 0);
  frame.writeUInt32BE(sequence, 4);
  frame.writeDoubleBE(offset, 8);
  frame.writeUInt32BE(hash, 16);
  return frame;
}

/** Decodes the whole frames; the last one may have been cut off. */
export function decodeFrames(bytes: Buffer): Acknowledged[] {
  const frames: Acknowledged[] = [];
  for (let at = 0; at + FRAME_BYTES <= bytes.length; at += FRAME_BYTES) {
    frames.push({
      client: bytes.readUInt32BE(at),
      sequence: bytes.readUInt32BE(at + 4),
      offset: bytes.readDoubleBE(at + 8),
      hash: bytes.readUInt32BE(at + 16),
    });
  }
  return frames;
}
