import { AssertionError } from 'node:assert';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sentenceOf, UsageError } from '../../src/cli/failure.ts';
import { fromSystem, VarveError } from '../../src/errors.ts';

function caught(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

test('a failure of the world ends with its code', () => {
  expect(sentenceOf(new VarveError('POISONED', 'the log is poisoned.'))).toBe(
    'the log is poisoned (POISONED)',
  );
});

test('what the operating system calls ENOENT is said in words', () => {
  const cause = caught(() => readFileSync('/no/such/file'));
  expect(sentenceOf(fromSystem(cause, 'open', '/no/such/file'))).toBe(
    'cannot open /no/such/file: no such file or directory (NOT_FOUND)',
  );
  expect(sentenceOf(cause)).toBe('no such file or directory (ENOENT)');
});

test('the process that holds a lock is named, once', () => {
  expect(sentenceOf(new VarveError('LOCKED', 'data is in use', { pid: 77 }))).toBe(
    'data is in use, by process 77 (LOCKED)',
  );
  expect(sentenceOf(new VarveError('LOCKED', 'data is in use by process 77', { pid: 77 }))).toBe(
    'data is in use by process 77 (LOCKED)',
  );
});

test('a mistake of the caller is said as it is, on one line', () => {
  expect(sentenceOf(new RangeError('it must be\n  smaller.'))).toBe('it must be smaller');
  expect(sentenceOf(new UsageError('too many logs'))).toBe('too many logs');
});

test('a bug is called one', () => {
  expect(sentenceOf(new AssertionError({ message: 'offsets grow' }))).toBe(
    'this is a bug in varve: offsets grow',
  );
  expect(sentenceOf(new SyntaxError('odd'))).toBe('SyntaxError: odd');
  expect(sentenceOf('thrown text')).toBe('thrown text');
});
