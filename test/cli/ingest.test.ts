import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { finished, jsonLines, startVarve, temporaryDirectory, varve } from './command.ts';

const HDFS = [
  '081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block blk_38865049064139660 terminating',
  '081109 203807 222 WARN dfs.DataNode$DataXceiver: Got exception while serving blk_-2918118818249673980',
  'a line that is of no format',
  '081109 204005 35 INFO dfs.FSNamesystem: BLOCK* NameSystem.addStoredBlock: blockMap updated',
];

function writeLines(name: string, lines: readonly string[]): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

describe('varve ingest', () => {
  test('makes a record of every line, and reports what it found', async () => {
    const file = writeLines('server.log', HDFS);
    const directory = join(temporaryDirectory(), 'data');
    const { code, stdout, stderr } = await varve(['ingest', file, '--into', directory]);
    expect(stderr).toBe(
      `varve: ${file} was read as hdfs, since its first lines are like that; --format says otherwise\n`,
    );
    expect(stdout).toMatch(new RegExp(`^${file}$`, 'm'));
    expect(stdout).toMatch(/^format +hdfs$/m);
    expect(stdout).toMatch(/^records +4, offsets 0 to 3$/m);
    expect(stdout).toMatch(/^time +2008-11-09T20:36:15.000Z to 2008-11-09T20:40:05.000Z$/m);
    expect(stdout).toMatch(/^levels +INFO 2 \(50 %\), WARN 1 \(25 %\)$/m);
    expect(stdout).toMatch(/^unparsed +1 line \(25 %\), kept as they are; for example$/m);
    expect(stdout).toMatch(/^ {2}3: a line that is of no format$/m);
    expect(code).toBe(0);
    const read = await varve(['read', directory, 'server']);
    expect(read.stdout).toBe(readFileSync(file, 'utf8'));
  });

  test('reports the same as JSON', async () => {
    const file = writeLines('server.log', HDFS);
    const directory = join(temporaryDirectory(), 'data');
    const { stdout } = await varve(['ingest', file, '--into', directory, '--log', 'web', '--json']);
    const [answer] = jsonLines(stdout);
    expect(answer).toMatchObject({
      directory,
      log: 'web',
      firstOffset: 0,
      nextOffset: 4,
      files: [
        {
          file,
          format: 'hdfs',
          lines: 4,
          records: 4,
          unparsed: 1,
          sampleUnparsed: [{ line: 3, text: 'a line that is of no format' }],
          firstOffset: 0,
          lastOffset: 3,
          from: '2008-11-09T20:36:15.000Z',
          to: '2008-11-09T20:40:05.000Z',
          levels: { INFO: 2, WARN: 1 },
        },
      ],
    });
  });

  test('takes the format that it is told, and says nothing of it', async () => {
    const file = writeLines('server.log', HDFS);
    const directory = join(temporaryDirectory(), 'data');
    const { stdout, stderr } = await varve(['ingest', file, '--into', directory, '--format', 'plain']);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^format +plain$/m);
    expect(stdout).not.toContain('levels');
  });

  test('takes lines apart by a pattern, from the command line or a file', async () => {
    const file = writeLines('own.log', ['Dec 31 23:59:58|WARN|full', 'Jan  1 00:00:01|INFO|empty']);
    const directory = join(temporaryDirectory(), 'data');
    const pattern = ['--pattern', '<Time>|<Level>|<Content>', '--time-pattern', 'MMM d HH:mm:ss'];
    const zone = ['--zone', '+01:00', '--assume-year', '2005', '--json'];
    const ran = await varve(['ingest', file, '--into', directory, ...pattern, ...zone]);
    const expected = {
      format: 'pattern',
      unparsed: 0,
      from: '2005-12-31T22:59:58.000Z',
      to: '2005-12-31T23:00:01.000Z',
      levels: { WARN: 1, INFO: 1 },
    };
    expect(JSON.parse(ran.stdout).files[0]).toMatchObject(expected);
    const format = { name: 'own', pattern: pattern[1], time: pattern[3] };
    const formatFile = writeLines('own.json', [JSON.stringify(format)]);
    const again = await varve(['ingest', file, '--into', directory, '--format-file', formatFile, ...zone]);
    expect(JSON.parse(again.stdout).files[0]).toMatchObject({ ...expected, format: 'own' });
  });

  test('says what is wrong about a format before it makes anything', async () => {
    const file = writeLines('own.log', ['x']);
    const directory = join(temporaryDirectory(), 'data');
    const bad: readonly (readonly [string[], RegExp])[] = [
      [['--pattern', '<a'], /the < at column 1 is not closed/],
      [['--pattern', '<Time> x', '--time-pattern', 'HH'], /it has no month/],
      [['--time-pattern', 'HH'], /there is none/],
      [['--pattern', '<a>', '--format', 'hdfs'], /only one can be given/],
      [['--format', 'xml'], /format must be one of hdfs, /],
      [['--format-file', file], /is no JSON file with a format \(UNSUPPORTED\)/],
      [['--zone', 'here'], /zone must be utc, an offset/],
      [['--assume-year', 'x'], /it must be a year/],
    ];
    for (const [options, message] of bad) {
      const { code, stderr } = await varve(['ingest', file, '--into', directory, ...options]);
      expect([options, code, stderr]).toEqual([options, 2, expect.stringMatching(message)]);
    }
    expect(existsSync(directory)).toBe(false);
  });

  test('appends several files one after the other, and to what is there', async () => {
    const first = writeLines('first.log', ['a', 'b']);
    const second = writeLines('second.log', ['c']);
    const directory = join(temporaryDirectory(), 'data');
    const run = ['ingest', first, second, '--into', directory, '--format', 'plain'];
    expect((await varve(run)).code).toBe(0);
    expect((await varve([...run, '--log', 'first', '--sync', 'batch:1,10ms'])).code).toBe(0);
    expect((await varve(['read', directory, 'first'])).stdout).toBe('a\nb\nc\na\nb\nc\n');
  });

  test('reads standard input', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const input = HDFS.join('\n');
    const { code, stdout } = await varve(['ingest', '-', '--into', directory], { input });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^standard input$/m);
    expect((await varve(['read', directory, 'stdin'])).stdout).toBe(`${input}\n`);
  });

  test('takes an empty file for what it is', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const { code, stdout } = await varve(['ingest', writeLines('empty.log', []), '--into', directory]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^records +0$/m);
  });

  test('what was ingested is durable and closed: it opens without recovery', async () => {
    const directory = join(temporaryDirectory(), 'data');
    await varve(['ingest', writeLines('a.log', ['a']), '--into', directory]);
    const database = await open(directory);
    const log = await database.log('a');
    expect(log.recovery.wasClean).toBe(true);
    expect(log.nextOffset).toBe(1);
    await database.close();
  });

  test('stopped by a signal, it keeps what is in the log and says how much that is', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const child = startVarve(['ingest', '-', '--into', directory, '--format', 'plain'], { keepOpen: true });
    const done = finished(child);
    const lines = `${'x'.repeat(99)}\n`.repeat(10_000);
    // More than the pipe holds: when it has drained, the command is at work.
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => child.stdin?.write(lines, resolve));
    }
    child.kill('SIGINT');
    const { code, stdout, stderr } = await done;
    expect(code).toBe(130);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^varve: stopped; [\d,]+ records? of standard input are in the log stdin, and synced\n$/,
    );
    const count = Number(/([\d,]+) record/.exec(stderr)?.[1]?.replaceAll(',', ''));
    const verified = await varve(['verify', directory, '--json']);
    expect(jsonLines(verified.stdout)[0]).toMatchObject({
      isClean: true,
      logs: [{ name: 'stdin', records: count }],
    });
  });
});

describe('varve ingest fails with one sentence', () => {
  test('where a file cannot be read, before anything is done', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const good = writeLines('good.log', ['a']);
    const { code, stdout, stderr } = await varve(['ingest', good, '/no/such/file', '--into', directory]);
    expect(stderr).toBe('varve: cannot open /no/such/file: no such file or directory (NOT_FOUND)\n');
    expect(stdout).toBe('');
    expect(code).toBe(2);
    expect(existsSync(directory)).toBe(false);
  });

  test.skipIf(process.getuid?.() === 0)('where a file may not be read (as root everything may)', async () => {
    const file = writeLines('secret.log', ['a']);
    chmodSync(file, 0);
    const { code, stderr } = await varve(['ingest', file, '--into', join(temporaryDirectory(), 'data')]);
    expect(stderr).toMatch(/^varve: cannot open [^\n]*: permission denied \(READ_ONLY\)\n$/);
    expect(code).toBe(2);
  });

  test.skipIf(process.getuid?.() === 0)(
    'where the directory may not be written to (as root it may)',
    async () => {
      const parent = temporaryDirectory();
      chmodSync(parent, 0o500);
      const { code, stderr } = await varve([
        'ingest',
        writeLines('a.log', ['a']),
        '--into',
        join(parent, 'data'),
      ]);
      expect(stderr).toMatch(/^varve: [^\n]*\(READ_ONLY\)\n$/);
      expect(code).toBe(2);
    },
  );

  test('where the file is a directory', async () => {
    const path = temporaryDirectory();
    const { code, stderr } = await varve(['ingest', path, '--into', join(path, 'data')]);
    expect(stderr).toBe(`varve: ${path} is a directory, not a file of lines (UNSUPPORTED)\n`);
    expect(code).toBe(2);
  });

  test('where another process has the directory, and says which', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const database = await open(directory);
    const { code, stderr } = await varve(['ingest', writeLines('a.log', ['a']), '--into', directory]);
    await database.close();
    expect(stderr).toMatch(
      new RegExp(`^varve: [^\\n]*${directory}[^\\n]*\\b${process.pid}\\b[^\\n]*\\(LOCKED\\)\\n$`),
    );
    expect(code).toBe(2);
  });

  test('where the directory is something else, and leaves it alone', async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'photos'));
    const { code, stderr } = await varve(['ingest', writeLines('a.log', ['a']), '--into', directory]);
    expect(stderr).toMatch(/^varve: [^\n]*not a varve database[^\n]*\n$/);
    expect(code).toBe(2);
    expect(readdirSync(directory)).toContain('photos');
    expect(readdirSync(directory)).not.toContain('VERSION');
  });

  test('where the directory was written by a newer version', async () => {
    const directory = join(temporaryDirectory(), 'data');
    await (await open(directory)).close();
    writeFileSync(join(directory, 'VERSION'), '99\n');
    const { code, stderr } = await varve(['ingest', writeLines('a.log', ['a']), '--into', directory]);
    expect(stderr).toMatch(/^varve: [^\n]*99[^\n]*\(VERSION\)\n$/);
    expect(code).toBe(2);
  });

  test('where the name can be none', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const { code, stderr } = await varve([
      'ingest',
      writeLines('a.log', ['a']),
      '--into',
      directory,
      '--log',
      'a/b',
    ]);
    expect(stderr).toMatch(/^varve: the name of a log has [^\n]*: a\/b\n$/);
    expect(code).toBe(2);
    expect(existsSync(directory)).toBe(false);
  });

  test('where standard input is named twice', async () => {
    const { code, stderr } = await varve(['ingest', '-', '-', '--into', join(temporaryDirectory(), 'data')]);
    expect(stderr).toBe('varve: standard input can be read only once\n');
    expect(code).toBe(2);
  });
});

test.skipIf(!existsSync('/dev/full'))(
  'a full disk behind standard output is told (where there is /dev/full)',
  async () => {
    const file = writeLines('a.log', ['a']);
    const directory = join(temporaryDirectory(), 'data');
    const { code, stderr } = await varve(['ingest', file, '--into', directory, '--format', 'plain'], {
      outputFile: '/dev/full',
    });
    expect(stderr).toMatch(/^varve: [^\n]*no space left on device \(ENOSPC\)\n$/);
    expect(code).toBe(2);
  },
);
