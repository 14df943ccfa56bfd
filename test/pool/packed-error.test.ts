import { AssertionError } from 'node:assert';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';

import { describe, expect, it } from 'vitest';

import { fromSystem, VarveError } from '../../src/errors.ts';
import { type PackedError, packError, unpackError } from '../../src/pool/packed-error.ts';

/** Sends an error to another thread and back, as far as the error is concerned. */
function send(error: unknown): Error {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(packError(error));
  const packed = (receiveMessageOnPort(port2) as { message: PackedError }).message;
  port1.close();
  return unpackError(packed);
}

describe('an error that comes from another thread', () => {
  it('has its class, message and stack', () => {
    class Custom extends Error {
      override readonly name = 'Custom';
    }
    const errors = [new TypeError('a'), new RangeError('b'), new AssertionError({ message: 'c' })];
    for (const error of [...errors, new Error('d'), new Custom('e')]) {
      const received = send(error);
      expect(received).toBeInstanceOf(error instanceof Custom ? Error : error.constructor);
      expect([received.name, received.message, received.stack]).toEqual([
        error.name,
        error.message,
        error.stack,
      ]);
    }
  });

  it('has the code and the fields of a VarveError, and its causes', () => {
    const system = Object.assign(new Error('EIO: i/o error'), { code: 'EIO', errno: -5 });
    const details = { file: '/a/b', position: 7, offsets: { first: 1, last: 2 }, pid: 3 };
    const error = new VarveError('CORRUPT', 'bytes are wrong', {
      ...details,
      cause: fromSystem(system, 'read', '/a'),
    });
    const received = send(error) as VarveError;
    expect(received).toBeInstanceOf(VarveError);
    expect(received).toMatchObject({ ...details, code: 'CORRUPT', message: 'bytes are wrong' });
    const cause = received.cause as VarveError;
    expect(cause).toBeInstanceOf(VarveError);
    expect(cause.code).toBe('IO');
    expect(cause.cause).toMatchObject({ message: 'EIO: i/o error', code: 'EIO' });
  });

  it('arrives whatever was thrown, and whatever it holds', () => {
    expect(send('a word').message).toBe('a word');
    expect(send(undefined).message).toBe('undefined');
    const holder = Object.assign(new Error('holds a function'), { callback: () => undefined });
    expect(send(holder).message).toBe('holds a function');
    const circle = new Error('goes round');
    circle.cause = circle;
    expect(send(circle).cause).toMatchObject({ message: 'goes round' });
  });
});
