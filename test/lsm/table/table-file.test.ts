import { describe, expect, it } from 'vitest';

import {
  compareEnds,
  endsBefore,
  type KeyRange,
  overlaps,
  parseTableFileName,
  tableFileName,
  unionOf,
} from '../../../src/lsm/table/table-file.ts';

function range(smallest: string, largest: string, largestExclusive = false): KeyRange {
  return { smallestKey: Buffer.from(smallest), largestKey: Buffer.from(largest), largestExclusive };
}

describe('the name of a table', () => {
  it.each([0, 42, 9_999_999_999, 10_000_000_000, Number.MAX_SAFE_INTEGER])('gives %i back', (number) => {
    expect(parseTableFileName(tableFileName(number))).toBe(number);
  });

  it.each(['42.table', '0000000042', '00000000042.table', '99999999999999999.table', 'x0000000042.table'])(
    'is not %s',
    (name) => {
      expect(parseTableFileName(name)).toBeUndefined();
    },
  );

  it('has ten digits', () => {
    expect(tableFileName(42)).toBe('0000000042.table');
  });
});

describe('a range of keys', () => {
  it('overlaps another where they have a key in common', () => {
    expect(overlaps(range('a', 'c'), range('c', 'd'))).toBe(true);
    expect(overlaps(range('c', 'd'), range('a', 'c'))).toBe(true);
    expect(overlaps(range('a', 'c', true), range('c', 'd'))).toBe(false);
    expect(overlaps(range('c', 'd'), range('a', 'c', true))).toBe(false);
    expect(overlaps(range('a', 'b'), range('c', 'd'))).toBe(false);
    expect(overlaps(range('a', 'z'), range('c', 'd'))).toBe(true);
  });

  it('ends before a key that it does not reach', () => {
    expect(endsBefore(range('a', 'c'), Buffer.from('c'))).toBe(false);
    expect(endsBefore(range('a', 'c', true), Buffer.from('c'))).toBe(true);
    expect(endsBefore(range('a', 'c'), Buffer.from('c\0'))).toBe(true);
  });

  it('that ends with a key ends behind one that ends before it', () => {
    expect(compareEnds(range('a', 'c'), range('a', 'c', true))).toBeGreaterThan(0);
    expect(compareEnds(range('a', 'c'), range('b', 'c'))).toBe(0);
    expect(compareEnds(range('a', 'b'), range('a', 'c', true))).toBeLessThan(0);
  });

  it('of several is the least that holds them all', () => {
    expect(unionOf([range('b', 'd', true), range('c', 'd'), range('a', 'b')])).toEqual(range('a', 'd'));
    expect(unionOf([range('b', 'e', true), range('c', 'd')])).toEqual(range('b', 'e', true));
  });
});
