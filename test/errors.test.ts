import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { fromSystem, systemCode } from '../src/errors.ts';

function systemError(code: string, errno: number): Error {
  return Object.assign(new Error(code), { code, errno });
}

describe('an error of the operating system', () => {
  test.each([
    ['ENOSPC', 'NO_SPACE'],
    ['EFBIG', 'NO_SPACE'],
    ['EROFS', 'READ_ONLY'],
    ['EACCES', 'READ_ONLY'],
    ['ENOENT', 'NOT_FOUND'],
    ['EIO', 'IO'],
  ])('is told by its code (%s is %s)', (code, expected) => {
    const error = fromSystem(systemError(code, -5), 'write', '/a');
    expect(error).toMatchObject({ code: expected, file: '/a', message: `cannot write /a: ${code}` });
  });

  const { EDQUOT } = constants.errno;
  test.skipIf(EDQUOT === undefined)('has its name where Node knows but its number', () => {
    for (const code of ['UNKNOWN', `Unknown system error -${EDQUOT}`]) {
      const quota = systemError(code, -EDQUOT);
      expect(systemCode(quota)).toBe('EDQUOT');
      expect(fromSystem(quota, 'write', '/a')).toMatchObject({
        code: 'NO_SPACE',
        message: 'cannot write /a: EDQUOT',
      });
    }
  });

  test('keeps its number where nobody knows it', () => {
    const strange = systemError('Unknown system error -9999', -9999);
    expect(fromSystem(strange, 'write', '/a')).toMatchObject({
      code: 'IO',
      message: 'cannot write /a: Unknown system error -9999',
    });
  });
});
