import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { Output } from '../../src/cli/output.ts';

async function textOf(stream: PassThrough): Promise<string> {
  stream.end();
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

test('text, bytes and JSON arrive in order', async () => {
  const stream = new PassThrough();
  const output = new Output(stream);
  output.write('a');
  output.line(Buffer.from('b'));
  output.line('ü');
  output.json({ c: [1] });
  await output.end();
  expect(await textOf(stream)).toBe('ab\nü\n{"c":[1]}\n');
});

test('what is larger than a piece is written whole, in its place', async () => {
  const stream = new PassThrough({ highWaterMark: 10_000_000 });
  const output = new Output(stream);
  const long = 'x'.repeat(200_000);
  output.write('1');
  output.line(long);
  output.write('2');
  output.line(Buffer.from(long));
  output.write('3');
  await output.end();
  expect(await textOf(stream)).toBe(`1${long}\n2${long}\n3`);
});

test('lines that end at the border of a piece lose nothing', async () => {
  for (let length = 65_530; length <= 65_540; length++) {
    const stream = new PassThrough({ highWaterMark: 10_000_000 });
    const output = new Output(stream);
    output.line(Buffer.alloc(length, 'x'));
    output.line('y');
    await output.end();
    expect((await textOf(stream)).length).toBe(length + 3);
  }
});

test('bytes that were handed over may be reused by their owner', async () => {
  const stream = new PassThrough({ highWaterMark: 10_000_000 });
  const output = new Output(stream);
  const view = Buffer.alloc(70_000, 'a');
  output.write(view);
  view.fill('b');
  await output.end();
  expect(await textOf(stream)).toBe('a'.repeat(70_000));
});

test('a slow reader holds the writer back until it has drained', async () => {
  let release: () => void = () => {};
  const stream = new Writable({
    highWaterMark: 1,
    write(_piece, _encoding, done) {
      release = done;
    },
  });
  const output = new Output(stream);
  output.write('x'.repeat(70_000));
  expect(output.full).toBe(true);
  let isFlushed = false;
  const flushed = output.flush().then(() => {
    isFlushed = true;
  });
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(isFlushed).toBe(false);
  release();
  await flushed;
  expect(output.full).toBe(false);
});

test('a stream that drains before anybody waits for it holds nobody up', async () => {
  const stream = new PassThrough({ highWaterMark: 1 });
  stream.resume();
  const output = new Output(stream);
  output.give(Buffer.alloc(100_000));
  expect(output.full).toBe(true);
  await new Promise<void>((resolve) => stream.once('drain', resolve));
  expect(output.full).toBe(false);
  await output.end();
});

test('what is given is not copied, and keeps its place', async () => {
  const stream = new PassThrough({ highWaterMark: 10_000_000 });
  const output = new Output(stream);
  output.write('1');
  output.give(Buffer.from('2'));
  output.write('3');
  await output.end();
  expect(await textOf(stream)).toBe('123');
});

test('a reader that goes away is told once, and later writes are dropped', async () => {
  let closed = 0;
  const stream = new Writable({
    write(_piece, _encoding, done) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    },
  });
  const output = new Output(stream, () => closed++);
  output.line('a');
  await output.end();
  output.line('b');
  await output.end();
  expect(closed).toBe(1);
});

test('any other failure of the stream is thrown by the next flush', async () => {
  const stream = new Writable({
    write(_piece, _encoding, done) {
      done(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
    },
  });
  const output = new Output(stream);
  output.line('a');
  await expect(output.end()).rejects.toThrow('no space');
});
