import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { RECOVERY_MODES } from '../../src/log/options.ts';
import { LINE_FORMATS } from '../../src/parse/formats.ts';
import { MAIN, temporaryDirectory, varve } from './command.ts';

const { version } = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8'),
) as { version: string };

describe('the command', () => {
  test.each(['--version', '-V'])('%s prints the version and nothing else', async (option) => {
    expect(await varve([option])).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: '' });
  });

  test('answers its version without loading anything that it needs otherwise', () => {
    const { stderr } = spawnSync(process.execPath, [MAIN, '--version'], {
      env: { ...process.env, NODE_DEBUG: 'esm,module' },
      encoding: 'utf8',
    });
    expect(stderr).not.toContain('commander');
    expect(stderr).not.toContain('program.js');
  });

  test('works through a symbolic link, as npm makes one', () => {
    const link = join(temporaryDirectory(), 'varve');
    symlinkSync(MAIN, link);
    const { status, stdout } = spawnSync(process.execPath, [link, '--version'], { encoding: 'utf8' });
    expect(stdout).toBe(`${version}\n`);
    expect(status).toBe(0);
    const help = spawnSync(process.execPath, [link, '--help'], { encoding: 'utf8' });
    expect(help.stdout).toContain('Usage: varve');
    expect(help.status).toBe(0);
  });

  test('--help names every command', async () => {
    const { code, stdout, stderr } = await varve(['--help']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    for (const name of ['ingest', 'read', 'info', 'inspect', 'verify', 'demo']) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    }
    expect(stdout).toContain('Exit codes: 0 done; 1 done, and the answer is no');
  });

  test.each(['ingest', 'read', 'info', 'inspect', 'verify', 'demo'])(
    '%s --help tells its options',
    async (name) => {
      const { code, stdout } = await varve([name, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^Usage: varve ${name} `));
    },
  );

  test('without a command it prints its help and fails', async () => {
    const { code, stdout, stderr } = await varve([]);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('Usage: varve');
  });
});

describe('a mistake on the command line ends with 2 and one sentence', () => {
  test.each([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['verfiy', 'x'], "unknown command 'verfiy' (Did you mean verify?)"],
    [['--frobnicate'], "unknown option '--frobnicate'"],
    [['read', 'x'], "missing required argument 'log'"],
    [['inspect'], "missing required argument 'file'"],
    [['inspect', 'a', 'b'], "too many arguments for 'inspect': expected 1 argument but got 2"],
    [['ingest', 'x'], "required option '--into <dir>' not specified"],
    [['ingest', 'x', '--into'], "option '--into <dir>' argument missing"],
    [['read', 'x', 'y', '--jsno'], "unknown option '--jsno' (Did you mean --json?)"],
    [
      ['read', 'x', 'y', '--limit', 'many'],
      `option '--limit <n>' argument 'many' is invalid: it must be a whole number, 0 or more, not "many"`,
    ],
    [
      ['read', 'x', 'y', '--from-offset', '-1'],
      `option '--from-offset <n>' argument '-1' is invalid: it must be a whole number, 0 or more, not "-1"`,
    ],
    [
      ['read', 'x', 'y', '--since', '2008-02-30'],
      `option '--since <time>' argument '2008-02-30' is invalid: "2008-02-30" is not a time such as ` +
        '2008-11-09T20:36:15Z, a distance from now such as -15m, or epoch milliseconds',
    ],
    [
      ['ingest', 'x', '--into', 'y', '--format', 'xml'],
      `format must be one of ${LINE_FORMATS.join(', ')}, not "xml"`,
    ],
    [
      ['read', 'x', 'y', '--recovery', 'hope'],
      `option '--recovery <mode>' argument 'hope' is invalid: allowed choices are ${RECOVERY_MODES.join(', ')}`,
    ],
    [
      ['ingest', 'x', '--into', 'y', '--sync', 'sometimes'],
      `option '--sync <policy>' argument 'sometimes' is invalid: it must be always, batch[:RECORDS,BYTES,DELAY], ` +
        'interval[:PERIOD], adaptive[:DELAY] or never, not "sometimes"',
    ],
  ])('%j', async (args, sentence) => {
    expect(await varve(args)).toEqual({ code: 2, signal: null, stdout: '', stderr: `varve: ${sentence}\n` });
  });
});
