import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { LoggrepCommandOptions } from '../../src/cli/loggrep.ts';
import { gnuGrep, grepHere, loggrepHere, whyNoGnuGrep } from '../kit/grep.ts';
import { createRandom, type Random } from '../kit/random.ts';
import { finished, startVarve, temporaryDirectory, varve } from './command.ts';

const LOG = `081109 203518 143 INFO dfs.DataNode: Receiving block blk_-16 src: /10.0.0.1:50010
081109 203519 143 INFO dfs.DataNode: Receiving block blk_17
081109 203520 35 WARN dfs.FSNamesystem: BLOCK* ask 10.0.0.2:50010 to delete blk_-16 blk_17

java.io.IOException: Connection reset by peer
\tat sun.nio.ch.FileDispatcher.read0(Native Method)
081109 203521 36 ERROR dfs.DataNode: Grüße 日本 [x] (y) {z} $1 a+b
081109 203522 36 info dfs.datanode: \\d+ error Error ERROR
aaa aaa aaaa
foo_bar foobar foo bar
`;
const OTHER = 'one\ntwo ERROR\nthree';

function files(): string {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'log'), LOG);
  writeFileSync(join(directory, 'other'), OTHER);
  writeFileSync(join(directory, 'empty'), '');
  writeFileSync(join(directory, 'patterns'), 'WARN\nread0\n');
  writeFileSync(join(directory, 'none of them'), '');
  mkdirSync(join(directory, 'below/deep'), { recursive: true });
  for (const path of ['below/a.log', 'below/b.txt', 'below/deep/c.log', 'below/deep/c.log.1']) {
    writeFileSync(join(directory, path), `an ERROR of ${path}\n`);
  }
  writeFileSync(join(directory, 'nul'), Buffer.from('a\0b\nERROR \0\n\xff\xfe ERROR\n', 'latin1'));
  return directory;
}

// What both understand: -E to grep, nothing to loggrep.
const TABLE: [string, string[]][] = [
  ['a literal', ['INFO', 'log']],
  ['a literal, counted', ['-c', 'INFO', 'log']],
  ['a text', ['-F', 'a+b', 'log']],
  ['a text that is no expression', ['-F', '{z} $1', 'log']],
  ['several texts', ['-F', '-e', 'WARN', '-e', 'ERROR', 'log']],
  ['several texts in one', ['-F', 'WARN\nERROR\nnone', 'log']],
  ['several expressions', ['-e', '^foo', '-e', 'read0', '-n', 'log']],
  ['either', ['WARN|ERROR', 'log']],
  ['in either case', ['-i', 'error', 'log']],
  ['in either case, counted', ['-ic', 'eRRoR|info', 'log']],
  ['in either case, a text with s and k', ['-iF', 'BLOCK* ASK', 'log']],
  ['beyond ASCII, in either case', ['-i', 'GRÜSSE|grÜße', 'log']],
  ['no literal', ['[0-9]{3} [A-Z]+ ', 'log']],
  ['an expression of one character', ['.', 'log']],
  ['the beginning and the end', ['-n', '^$', 'log']],
  ['the end', ['d$|r$', 'log']],
  ['what is repeated', ['(aa){2}', 'log']],
  ['a reference', ['(foo).*\\1', 'log']],
  ['a class', ['[^0-9 a-z]{6}', 'log']],
  ['nothing, which is everywhere', ['-c', '', 'log']],
  ['nothing, as a text', ['-cF', '', 'log', 'empty']],
  ['lines that do not match', ['-v', 'dfs', 'log']],
  ['lines that do not match, counted', ['-vc', '[0-9]', 'log', 'other', 'empty']],
  ['numbers', ['-n', 'dfs', 'log']],
  ['patterns of a file', ['-f', 'patterns', 'log']],
  ['texts of a file and of the command line', ['-Fnf', 'patterns', '-e', 'foo', 'log']],
  ['patterns of an empty file', ['-cf', 'none of them', 'log']],
  ['lines that have none of the patterns of an empty file', ['-vcf', 'none of them', 'log']],
  ['names of files without the patterns of an empty file', ['-Lf', 'none of them', 'log', 'other']],
  ['whole lines that are texts of an empty file', ['-Fxcf', 'none of them', 'log']],
  ['patterns of files', ['-c', '-f', 'patterns', '-f', 'none of them', 'log', 'other']],
  ['options that change nothing', ['-aE', '--line-buffered', 'WARN|read0', 'log']],
  ['positions', ['-b', 'dfs', 'log', 'other']],
  ['positions, numbers and lines around', ['-nbC1', 'ERROR', 'log', 'other']],
  ['positions of matches', ['-bo', 'ERROR|foo', 'log', 'other']],
  ['positions of matches, beyond ASCII', ['-bno', '日|x', 'log']],
  ['names with zero bytes', ['-lZ', 'ERROR', 'log', 'other', 'empty']],
  ['names of the others with zero bytes', ['-LZ', 'ERROR', 'log', 'other', 'empty']],
  ['counts with zero bytes', ['-cZ', 'ERROR', 'log', 'other']],
  ['lines with zero bytes', ['-nZA1', 'ERROR', 'log', 'other']],
  ['zero bytes where there are no names', ['-Z', 'ERROR', 'log']],
  ['without messages', ['-s', 'ERROR', 'none', 'other']],
  ['files of some names', ['--include=*.log', 'ERROR', 'below/a.log', 'below/b.txt', 'log']],
  ['files of some names, with a path', ['--include=below/*', '-c', 'ERROR', 'below/a.log', 'other']],
  ['files but for some names', ['--exclude=a*', '-c', 'ERROR', 'below/a.log', 'below/b.txt', 'other']],
  ['files but for a path', ['--exclude=below/a.log', '-c', 'ERROR', 'below/a.log', 'below/b.txt']],
  ['no file at all', ['--exclude=*', 'ERROR', 'log', 'other']],
  ['the last of several rules', ['--include=*.log', '--exclude=a*', '-c', 'E', 'below/a.log', 'below/b.txt']],
  [
    'the last of several rules, the other way',
    ['--exclude=a*', '--include=*.log', '-c', 'E', 'below/a.log', 'log'],
  ],
  ['in a directory, some names', ['-rh', '--include=c.l?g', 'ERROR', 'below/deep']],
  ['in a directory, but for some names', ['-rh', '--exclude=*.log', '--exclude=b.*', 'ERROR', 'below']],
  ['in a directory, but for another', ['-rh', '--exclude-dir=dee[a-p]/', '--include=b*', 'ERROR', 'below']],
  ['a directory that is passed over', ['-rh', '--exclude-dir=below', 'ERROR', 'below', 'other']],
  [
    'rules about a path do not count in a directory',
    ['-rc', '--exclude=deep/c.log', 'ERROR', 'below/deep/c.log'],
  ],
  ['matches alone', ['-o', 'blk_-?[0-9]+', 'log']],
  ['matches alone, with numbers and names', ['-onH', '[a-z]+a', 'log']],
  ['matches alone, beyond ASCII', ['-o', '.. 日.', 'log']],
  ['matches alone, of texts', ['-oF', '-e', 'foo', '-e', 'foobar', 'log']],
  ['matches alone, of nothing', ['-o', 'x*', 'log']],
  ['names', ['-l', 'ERROR', 'log', 'other', 'empty']],
  ['names of the others', ['-L', 'ERROR', 'log', 'other', 'empty']],
  ['names of the others, where there are none', ['-L', '', 'log', 'other']],
  ['names before lines', ['ERROR', 'log', 'other']],
  ['no names before lines', ['-h', 'ERROR', 'log', 'other']],
  ['counts of several', ['-c', 'ERROR', 'log', 'other', 'empty']],
  ['words', ['-w', 'foo', 'log']],
  ['words in either case', ['-wio', 'error', 'log']],
  ['whole lines', ['-x', 'one|three', 'other']],
  ['whole lines, texts', ['-xF', 'two', 'other']],
  ['lines behind', ['-A', '1', 'WARN', 'log']],
  ['lines before', ['-B2', '-n', 'read0', 'log']],
  ['lines around', ['-C', '1', 'DataNode|read0', 'log']],
  ['lines around, of several', ['-nC1', 'ERROR|one', 'log', 'other']],
  ['lines around those that do not match', ['-vnC1', 'dfs', 'log']],
  ['no lines around, but parted', ['-C0', 'DataNode|read0', 'log', 'other']],
  ['no lines behind, numbers', ['-nA0', 'dfs', 'log']],
  ['matches alone, parted', ['-onA1', 'read0|WARN|one', 'log', 'other']],
  ['matches alone, with lines before', ['-oB', '2', 'foo|one', 'log', 'other']],
  ['at most so many', ['-m', '2', 'dfs', 'log']],
  ['at most none', ['-m', '0', 'dfs', 'log']],
  ['at most so many, counted', ['-cm2', 'dfs', 'log', 'other']],
  ['at most so many and lines behind', ['-m1', '-A3', '-n', 'dfs', 'log']],
  ['at most so many that do not match', ['-vnm2', '-A5', 'dfs', 'log']],
  ['none at most, counted', ['-cm0', 'dfs', 'log', 'other']],
  ['none at most, names', ['-Lm0', 'dfs', 'log', 'empty']],
  ['names of either, the last counts', ['-lL', 'ERROR', 'log', 'other', 'empty']],
  ['names of either, the last counts, the other way around', ['-Ll', 'ERROR', 'log', 'other', 'empty']],
  ['matches in lines around those that do not match', ['-vonC1', 'dfs', 'log']],
  ['matches in lines behind those that do not match', ['-vonA3', '-m1', 'dfs|one', 'log', 'other']],
  ['matches of lines that do not match', ['-vo', 'dfs', 'log']],
  ['without colours', ['--color=never', 'ERROR', 'log']],
  ['quietly', ['-q', 'dfs', 'log']],
  ['quietly, where there is none', ['-q', 'none such', 'log']],
  ['none', ['none such', 'log']],
  ['zero bytes and no UTF-8', ['-F', 'ERROR', 'nul']],
  ['zero bytes, matches alone', ['-o', 'a.b', 'nul']],
  ['a file that is not there', ['ERROR', 'none', 'other']],
  ['a file that is not there, quietly', ['-q', 'ERROR', 'none', 'other']],
  ['a file that is not there, and nothing found', ['none such', 'none', 'other']],
];

describe.skipIf(whyNoGnuGrep !== undefined)('loggrep answers as GNU grep does', () => {
  test('on a table of options', { timeout: 120_000 }, async () => {
    const directory = files();
    const differences: unknown[] = [];
    const before = process.cwd();
    process.chdir(directory);
    try {
      for (const [name, args] of TABLE) {
        const isFixed = args.some((arg) => /^-[a-z]*F/.test(arg));
        const ours = await loggrepHere(args);
        const expected = gnuGrep([isFixed ? '-F' : '-E', ...args], 'C.UTF-8');
        if (JSON.stringify(ours) !== JSON.stringify(expected))
          differences.push({ name, args, ours, expected });
      }
    } finally {
      process.chdir(before);
    }
    expect(differences).toEqual([]);
  });

  test('on random files, options and patterns', { timeout: 120_000 }, async () => {
    const random = createRandom(90);
    const file = join(temporaryDirectory(), 'file');
    for (let i = 0; i < 150; i++) {
      const content = randomContent(random);
      writeFileSync(file, content, 'latin1');
      const { args, patterns, options } = randomQuestion(random);
      const ours = await grepHere([...patterns, file], options);
      const expected = gnuGrep([...args, ...patterns.flatMap((pattern) => ['-e', pattern]), file], 'C');
      expect({ args, patterns, content, ...ours }).toEqual({ args, patterns, content, ...expected });
    }
  });
});

const WORDS = ['a', 'b', 'ab', 'ba', 'Ab', 'error', 'ERROR', ' ', ':', '0', '42', '_', 'zz', '-'];

function randomContent(random: Random): string {
  const lines = random.pick([0, 1, 5, 40, 400, 9000]);
  const words = random.pick([WORDS, WORDS.slice(0, 4), [...WORDS, '\0', '\t']]);
  let content = '';
  for (let i = 0; i < lines; i++) {
    for (let word = random.int(0, random.pick([2, 8])); word > 0; word--) content += random.pick(words);
    content += i < lines - 1 || random.chance(0.7) ? '\n' : '';
  }
  return content;
}

const PATTERNS = [
  'ab',
  'error',
  'a',
  'zz:',
  '[0-9]+',
  'a|b',
  '^a',
  'b$',
  '^$',
  'a.b',
  '(ab)+',
  'a{2,3}',
  'ab?a',
  '[^a]b',
  'x',
  '(a|b)(a|b)',
  'error|42',
  'Ab_',
  '^[a-z]+$',
  '\\.',
  'a*',
  '[0-9]x?',
];

function randomQuestion(random: Random): {
  args: string[];
  patterns: string[];
  options: LoggrepCommandOptions;
} {
  const fixed = random.chance(0.3);
  const patterns = [random.pick(PATTERNS)];
  const args = [fixed ? '-F' : '-E'];
  const options: LoggrepCommandOptions = { fixedStrings: fixed };
  const option = (chance: number, arg: string, set: () => void): void => {
    if (!random.chance(chance)) return;
    args.push(arg);
    set();
  };
  option(0.3, '-i', () => (options.ignoreCase = true));
  option(0.3, '-v', () => (options.invertMatch = true));
  option(0.25, '-c', () => (options.count = true));
  option(0.4, '-n', () => (options.lineNumber = true));
  option(0.15, '-x', () => (options.lineRegexp = true));
  option(0.2, '-A2', () => (options.afterContext = 2));
  option(0.2, '-B3', () => (options.beforeContext = 3));
  option(0.15, '-m3', () => (options.maxCount = 3));
  option(0.2, '-o', () => (options.onlyMatching = true));
  return { args, patterns, options };
}

describe('loggrep reads', () => {
  test('compressed files, rotated sets and directories', async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'logs/below'), { recursive: true });
    writeFileSync(join(directory, 'logs/app.log'), 'new ERROR\n');
    writeFileSync(join(directory, 'logs/app.log.1'), 'older ERROR\n');
    writeFileSync(join(directory, 'logs/app.log.2.gz'), gzipSync('oldest ERROR\n'));
    writeFileSync(join(directory, 'logs/below/x'), Buffer.from('\ufeffbelow ERROR\n', 'utf16le'));
    const set = 'oldest ERROR\nolder ERROR\nnew ERROR\n';
    const run = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await finished(startVarve(['loggrep', ...args], { cwd: directory }));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return stdout;
    };
    expect(await run('-h', 'ERROR', 'logs')).toBe(set);
    expect(await run('-h', 'ERROR', 'logs/app.log', '--rotated')).toBe(set);
    expect(await run('-h', 'ERROR', 'logs/a*.{1,log}')).toBe('older ERROR\nnew ERROR\n');
    expect(await run('-r', 'below', 'logs')).toBe('logs/below/x:below ERROR\n');
  });

  test('standard input, compressed or not', async () => {
    expect(await varve(['loggrep', '-n', 'b'], { input: 'a\nb\r\nc' })).toMatchObject({
      code: 0,
      stdout: '2:b\r\n',
    });
    const input = gzipSync('a\nb\n');
    expect(await varve(['loggrep', 'b$', '-'], { input })).toMatchObject({ code: 0, stdout: 'b\n' });
  });

  test('a line that is too long as its beginning, and says so', async () => {
    const long = join(temporaryDirectory(), 'long');
    writeFileSync(long, `${'x'.repeat(5 << 20)}needle\nneedle\n`);
    const { code, stdout, stderr } = await varve(['loggrep', '-n', 'x{3}|needle', long]);
    expect(code).toBe(0);
    expect(stdout).toBe(`1:${'x'.repeat(2 << 20)} […cut here]\n2:needle\n`);
    expect(stderr).toBe('varve: 1 line of more than 2 MiB: only the beginning was searched, and is shown\n');
  });

  test('in colour where it is asked for', async () => {
    const { stdout } = await varve(['loggrep', '-nH', 'b+', '-'], {
      input: 'abba\n',
      env: { FORCE_COLOR: '1' },
    });
    const parts = [
      '\u001b[35m(standard input)\u001b[39m\u001b[36m:\u001b[39m',
      '\u001b[32m1\u001b[39m\u001b[36m:\u001b[39m',
    ];
    expect(stdout).toBe(`${parts.join('')}a\u001b[1m\u001b[31mbb\u001b[39m\u001b[22ma\n`);
  });
});

describe('loggrep chooses lines by what they say of themselves', () => {
  const choose = async (...args: string[]): Promise<string> => {
    const { stdout } = await varve(['loggrep', ...args], { input: LOG });
    return stdout;
  };

  test('by level, with the lines of a stack trace, and with the numbers that they have', async () => {
    expect(await choose('-n', '--level', 'WARN', 'blk|read0|日')).toBe(
      [3, 6, 7].map((number) => `${number}:${LOG.split('\n')[number - 1]}\n`).join(''),
    );
    expect(await choose('-c', '--level', '=INFO', '')).toBe('5\n');
    expect(await choose('-vc', '--level', 'ERROR', 'Grüße')).toBe('0\n');
  });

  test('by time and component', async () => {
    expect(await choose('-c', '--since', '2008-11-09T20:35:19', '--until', '2008-11-09T20:35:20', '')).toBe(
      '1\n',
    );
    expect(await choose('-c', '--component', 'dfs.FS*', 'blk_-16')).toBe('1\n');
    expect(await choose('-c', '--component', 'none', '')).toBe('0\n');
    expect(await choose('-c', '--format', 'plain', '--level', 'WARN', '')).toBe('0\n');
  });
});

describe('loggrep says what is wrong', () => {
  test.each([
    [['loggrep'], 'varve: there is no pattern to search for\n'],
    [['loggrep', '(', 'x'], 'varve: "(" is no regular expression of JavaScript: Unterminated group\n'],
    [['loggrep', '[[:digit:]]', 'x'], /written \\d, \\w, \\s here\n$/],
    [['loggrep', '\\<a', 'x'], /the end of a word is \\b here\n$/],
    [['loggrep', 'a{', 'x'], /need a backslash\n$/],
    [['loggrep', 'x', '/none/such'], 'varve: there is no file /none/such (NOT_FOUND)\n'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await varve(args);
    if (typeof message === 'string') expect(stderr).toBe(message);
    else expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('at the end, where that is asked for', async () => {
    const { stderr } = await varve(['loggrep', '-c', '--stats', 'a'], { input: 'a\nb\na\n' });
    expect(stderr).toMatch(/^varve: 2 lines found in 1 file of 1; 6 B searched in .*\/s\)\n$/);
  });
});
