import { existsSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { Memory } from '../../src/memory/memory.ts';
import { LINE_FORMATS, type LineFormat } from '../../src/parse/formats.ts';
import { type Guess, guessFormat, PROBE_WORK_BYTES } from '../../src/parse/probe.ts';
import { LINE_MAKERS } from '../kit/log-lines.ts';
import { createRandom } from '../kit/random.ts';

const LOGHUB: URL = new URL('../../../shared/data/loghub/', import.meta.url);
const hasLoghub: boolean = existsSync(LOGHUB);

const memory = Memory.create(16 << 20);
const { address } = memory.slabs.allocate(4 << 20, 'test');
const { address: work } = memory.slabs.allocate(PROBE_WORK_BYTES, 'test');

function guess(content: string | Uint8Array): Guess {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  memory.u8.set(bytes, address);
  return guessFormat(memory, work, { address, bytes: bytes.length });
}

/** Lines of each format, as they are most often. */
const LINES: Readonly<Record<Exclude<LineFormat, 'plain'>, readonly string[]>> = {
  hdfs: ['081109 203518 143 INFO dfs.Node: x'],
  hadoop: ['2015-10-18 18:01:47,978 INFO [main] org.a.B: x', '\tat a.b(c)', '\tat a.b(d)', '\tat a.b(e)'],
  spark: ['17/06/09 20:10:40 INFO executor.Backend: x'],
  zookeeper: ['2015-07-29 17:41:44,747 - INFO  [main:Peer@774] - x'],
  openstack: ['2017-05-16 00:00:00.008 25746 INFO nova.wsgi [-] x'],
  syslog: ['Jun  9 06:06:20 combo su(pam_unix)[19939]: x', '<13>Jun 10 06:06:20 combo kernel: y'],
  syslog5424: ['<34>1 2003-10-11T22:14:15.003Z host su - ID47 - x'],
  apache: [
    '[Fri Jan 10 04:47:44 2020] [error] x',
    '[Fri Jan 10 04:47:44.123456 2020] [core:notice] [pid 1:tid 2] y',
  ],
  access: [
    '10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326',
    '::1 - a [10/Oct/2000:13:55:36 +0000] "-" 408 - "-" "-"',
  ],
  json: ['{"level":30,"time":1600000000123,"msg":"x"}', '{"message":"no time"}', '{}'],
  logfmt: ['ts=2020-09-13T12:26:40Z level=info msg="x y"', 'level=warn dry run=1'],
};

describe('guessFormat', () => {
  it.each(Object.entries(LINES))('knows %s', (format, lines) => {
    for (const count of [1, 3, 200]) {
      const content = Array.from({ length: count }, () => lines)
        .flat()
        .join('\n');
      expect(guess(content)).toEqual({ format, confidence: 1 });
      expect(guess(`${content}\n`)).toEqual({ format, confidence: 1 });
    }
  });

  it('is told by most of the lines, and says how many they are', () => {
    for (const format of LINE_FORMATS) {
      if (format === 'plain') continue;
      const [line = ''] = LINES[format];
      const lines = [...new Array<string>(7).fill(line), 'x', 'y', 'z'];
      expect(guess(lines.join('\n'))).toEqual({ format, confidence: 0.7 });
    }
  });

  it('takes lines of no format for what they are', () => {
    const random = createRandom(41);
    const texts = [
      '',
      '\n\n\n',
      'The quick brown fox\njumps over: the lazy dog\n',
      'a=b\nc=d\n',
      '[section]\nkey = value\n',
      'one,two,three\n1,2,3\n',
      'const x = { a: 1 };\nfunction f() { return "x"; }\n',
      '{\n  "pretty": true,\n  "printed": [1, 2]\n}\n',
      Buffer.from(random.bytes(100_000)),
    ];
    for (const text of texts) expect([text, guess(text).format]).toEqual([text, 'plain']);
  });

  it('is never taken in by lines of another format that are odd', () => {
    const random = createRandom(42);
    for (const [format, make] of Object.entries(LINE_MAKERS)) {
      const found = guess(Array.from({ length: 100 }, () => make(random)).join('\n')).format;
      expect([format, 'plain']).toContain(found);
    }
  });

  it.skipIf(!hasLoghub)(
    `knows the files of loghub${hasLoghub ? '' : ` (skipped: no ${LOGHUB.pathname})`}`,
    () => {
      const formats = {
        HDFS: 'hdfs',
        Hadoop: 'hadoop',
        Spark: 'spark',
        Zookeeper: 'zookeeper',
        Apache: 'apache',
        OpenStack: 'openstack',
        Linux: 'syslog',
      };
      for (const [name, format] of Object.entries(formats)) {
        expect(guess(readFileSync(new URL(`${name}/${name}_2k.log`, LOGHUB)))).toEqual({
          format,
          confidence: 1,
        });
      }
    },
  );
});
