import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type ClaimName,
  drawId,
  type Liveness,
  makePidClaim,
  makeSocketClaim,
  parseClaimName,
  probeClaim,
  viaLink,
} from '../../src/vfs/claim.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-claim-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function parse(name: string): ClaimName {
  const claim = parseClaimName(name);
  if (claim === undefined) throw new Error(`${name} is no claim`);
  return claim;
}

const probe = (name: string): Promise<Liveness> => probeClaim(directory, parse(name));

describe('the name of a claim', () => {
  test('is taken apart, and others are not', () => {
    expect(parseClaimName('12-0a1b.sock')).toEqual({
      name: '12-0a1b.sock',
      kind: 'sock',
      pid: 12,
      id: '0a1b',
    });
    expect(parseClaimName('12-0a1b-345-ffee-4026531836.pid')).toMatchObject({ kind: 'pid', pid: 12 });
    for (const name of ['', 'LOCK', '12.sock', '12-zz.sock', 'x-0a.sock', '12-0a.sock.bak', '12-0a.log']) {
      expect(parseClaimName(name)).toBeUndefined();
    }
  });
});

describe.skipIf(process.platform === 'win32')('a claim that listens', () => {
  test('is alive from when it is seen until it is withdrawn', async () => {
    const claim = await makeSocketClaim(directory, `${process.pid}-${drawId()}`);
    expect(readdirSync(directory)).toEqual([claim.name]);
    expect(await probe(claim.name)).toBe('alive');
    await claim.withdraw();
    expect(readdirSync(directory)).toEqual([]);
    expect(await probe(claim.name)).toBe('gone');
  });

  test('is dead where nobody listens any more', async () => {
    writeFileSync(join(directory, '1-aa.sock'), 'a copy of a directory may have made a plain file of it');
    expect(await probe('1-aa.sock')).toBe('dead');
  });

  test('answers more callers than fit into any backlog, and drops them', async () => {
    const claim = await makeSocketClaim(directory, `${process.pid}-${drawId()}`);
    for (let i = 0; i < 1000; i += 50) {
      const all = await Promise.all(Array.from({ length: 50 }, () => probe(claim.name)));
      expect(new Set(all)).toEqual(new Set(['alive']));
    }
    await claim.withdraw();
  });

  test('is reached through a link where its path is too long', async () => {
    const deep = mkdtempSync(join(directory, 'a'.repeat(120)));
    const server = net.createServer();
    await viaLink(deep, 's', async (path) => {
      expect(path.length).toBeLessThan(100);
      await new Promise<void>((resolve) => {
        server.listen(path, resolve);
      });
      expect(readdirSync(deep)).toEqual(['s']);
    });
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
});

describe('a claim that is only a name', () => {
  test('is alive while this process is, and gone once it is withdrawn', async () => {
    const claim = await makePidClaim(directory, `${process.pid}-aa`);
    expect(await probe(claim.name)).toBe('alive');
    await claim.withdraw();
    expect(readdirSync(directory)).toEqual([]);
  });

  /** Our own claim with one of its fields replaced. */
  async function altered(change: (fields: string[]) => void): Promise<string> {
    const claim = await makePidClaim(directory, `${process.pid}-aa`);
    await claim.withdraw();
    const fields = claim.name.replace('.pid', '').split('-');
    change(fields);
    return `${fields.join('-')}.pid`;
  }

  const set =
    (index: number, value: string) =>
    (fields: string[]): void => {
      fields[index] = value;
    };

  test('is dead when there is no such process', async () => {
    expect(await probe(await altered(set(0, '4194305')))).toBe('dead');
  });

  const linux = process.platform === 'linux';

  test.skipIf(!linux)('is dead when its number was given to a later process', async () => {
    expect(await probe(await altered(set(2, '1')))).toBe('dead');
  });

  test.skipIf(!linux)('is dead when the machine has booted since', async () => {
    expect(await probe(await altered(set(3, '00112233445566778899aabbccddeeff')))).toBe('dead');
  });

  test.skipIf(!linux)('counts as alive when its owner cannot be looked up from here', async () => {
    const name = await altered((fields) => {
      fields[0] = '4194305';
      fields[4] = '4026539999';
    });
    expect(await probe(name)).toBe('alive');
  });
});
