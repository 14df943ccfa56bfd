/** Lines that a seed makes, of each format that is built in: good ones, and ones that are nearly so. */

import type { LineFormat } from '../../src/parse/formats.ts';
import { goodLine } from './hdfs-lines.ts';
import type { Random } from './random.ts';

const pad = (value: number, length = 2): string => String(value).padStart(length, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
const LEVELS = ['INFO', 'WARN', 'ERROR', 'DEBUG', 'notice', 'Fatal', 'TRACE', 'panic', 'odd'] as const;
const WORDS = [
  'started',
  'block',
  'x=1',
  'a: b',
  '[12]',
  '"quoted"',
  'of',
  '-',
  'caf\u00e9',
  '10.0.0.1:80',
] as const;

const words = (random: Random): string =>
  Array.from({ length: random.int(0, 8) }, () => random.pick(WORDS)).join(' ');
const time = (random: Random): string =>
  [random.int(0, 23), random.int(0, 59), random.int(0, 59)].map((part) => pad(part)).join(':');
const date = (random: Random): string =>
  [pad(random.int(1900, 2100), 4), pad(random.int(1, 12)), pad(random.int(1, 31))].join('-');
const component = (random: Random): string =>
  random.pick(['main', 'org.apache.Some$Inner', 'a-b_c', 'x'.repeat(random.int(1, 300))]);
const zone = (random: Random): string => random.pick(['Z', '+02:00', '-0330', '+00:00', '']);

type Maker = (random: Random) => string;

/** A line of each format, most often. */
export const LINE_MAKERS: Readonly<Record<Exclude<LineFormat, 'plain'>, Maker>> = {
  hdfs: goodLine,
  hadoop: (random) =>
    `${date(random)} ${time(random)},${pad(random.int(0, 999), 3)} ${random.pick(LEVELS)} [${random.pick(['main', 'IPC Server handler 0 on 62270', '', 'a]b'])}] ${component(random)}: ${words(random)}`,
  spark: (random) =>
    `${date(random).slice(2).replaceAll('-', '/')} ${time(random)} ${random.pick(LEVELS)} ${component(random)}: ${words(random)}`,
  zookeeper: (random) =>
    `${date(random)} ${time(random)},${pad(random.int(0, 999), 3)} - ${random.pick(LEVELS)}  [${random.pick(['/10.0.0.1', 'QuorumPeer[myid=1]/0', 'x'])}:${component(random)}@${random.int(0, 9999)}] - ${words(random)}`,
  openstack: (random) =>
    `${random.pick(['nova-api.log.1 ', ''])}${date(random)} ${time(random)}${random.pick(['.008', '', '.123456789'])} ${random.int(1, 99999)} ${random.pick(LEVELS)} ${component(random)} ${random.pick(['[req-1 - - -] ', '', '[-] '])}${words(random)}`,
  syslog: (random) =>
    `${random.pick(['', '<34>', '<191>', '<192>'])}${random.pick(MONTHS)} ${String(random.int(1, 31)).padStart(2)} ${time(random)} host ${random.pick(['sshd(pam)[123]: ', 'kernel: ', 'su[x]: ', ''])}${words(random)}`,
  syslog5424: (random) =>
    `<${random.int(0, 200)}>1 ${date(random)}T${time(random)}${random.pick(['', '.5', '.123456', '.1234567891'])}${zone(random)} host ${random.pick(['app', '-'])} ${random.pick(['12', '-'])} ${random.pick(['ID47', '-'])} ${random.pick(['-', '[a b="c"]', '[a b="\\]\\""][d e="f"]', '[a b="c'])} ${words(random)}`,
  apache: (random) =>
    `[${random.pick(DAYS)} ${random.pick(MONTHS)} ${pad(random.int(1, 31))} ${time(random)}${random.pick(['', '.123456'])} ${random.int(1970, 2040)}] [${random.pick(['error', 'notice', 'core:warn', ':error'])}] ${random.pick(['', '[pid 123] ', '[pid 123:tid 456] '])}${words(random)}`,
  access: (random) =>
    `${random.pick(['10.0.0.1', '::1'])} - ${random.pick(['-', 'frank'])} [${pad(random.int(1, 31))}/${random.pick(MONTHS)}/${random.int(1990, 2030)}:${time(random)} ${random.pick(['+0000', '-0700', '+1'])}] "${random.pick(['GET / HTTP/1.1', '-', 'GET /\\"x', ''])}" ${random.pick(['200', '404', '503', '-', '99'])} ${random.pick(['-', '1234'])}${random.pick(['', ' "-" "curl \\" 1"', ' "http://x/" "-"'])}`,
  json(random) {
    const pairs = Array.from({ length: random.int(0, 6) }, () => {
      if (random.chance(0.3)) {
        const time = random.pick(TIMES);
        return `"${random.pick(['time', '@timestamp', 'ts'])}":${/^\d{9}[\d.]*$/.test(time) && random.chance(0.5) ? time : JSON.stringify(time)}`;
      }
      return `${JSON.stringify(random.pick(KEYS))}${random.pick([':', ' : '])}${jsonValue(random, 3)}`;
    });
    return `${random.pick(['', ' '])}{${pairs.join(random.pick([',', ', ']))}}${random.pick(['', '\t'])}`;
  },
  logfmt: (random) =>
    Array.from({ length: random.int(1, 6) }, () => {
      const value = random.pick([
        words(random).split(' ')[0] ?? '',
        JSON.stringify(words(random)),
        '30',
        'warn',
        random.pick(TIMES).replace(' ', 'T'),
      ]);
      const key = random.pick(['time', 'ts', ...KEYS.slice(0, -2)]);
      return random.chance(0.1) ? key : `${key}=${value}`;
    }).join(random.pick([' ', '  ', '\t'])),
};

const KEYS = [
  'msg',
  'message',
  'level',
  'lvl',
  'pid',
  'name',
  'component',
  'hostname',
  'a',
  'x.y',
  '',
  '"',
] as const;
const TIMES = [
  '2020-02-29T12:00:00.123456Z',
  '2020-02-30T12:00:00Z',
  '2021-07-01 12:00:00,5',
  '1600000000123',
  '1600000000.25',
  '12:30',
  '0.5',
  '',
] as const;

/** A value of JSON, with white space in odd places, and now and then one that is none. */
function jsonValue(random: Random, depth: number): string {
  const word = JSON.stringify(
    random.pick([...WORDS, 'a"b', 'back\\', 'line\nfeed', '\u0001', 'x'.repeat(random.int(0, 300))]),
  );
  const scalar = random.pick([
    word,
    word,
    word,
    '30',
    '-1.5e3',
    'true',
    'false',
    'null',
    '50',
    'nul',
    '"open',
  ]);
  if (depth === 0 || random.chance(0.8)) return scalar;
  const items = Array.from({ length: random.int(0, 3) }, () => jsonValue(random, depth - 1));
  if (random.chance(0.5)) return `[${items.join(', ')}]`;
  return `{${items.map((item, i) => `"k${i}" :${item}`).join(',')}}`;
}

const ODD_BYTES = ' \t:-[]"\\<>0369Zz.,@/\u00e9\u0000'.split('');

/** A line in which something was changed, which may or may not matter. */
export function damaged(random: Random, line: string): string {
  const at = random.int(0, Math.min(line.length, random.chance(0.7) ? 45 : line.length));
  const byte = random.chance(0.3)
    ? String.fromCharCode(random.int(0, 255)).replace('\n', ' ')
    : random.pick(ODD_BYTES);
  switch (random.int(0, 3)) {
    case 0:
      return line.slice(0, at) + byte + line.slice(at + 1);
    case 1:
      return line.slice(0, at) + byte + line.slice(at);
    case 2:
      return line.slice(0, at) + line.slice(at + 1);
    default:
      return line.slice(0, at);
  }
}

/** Lines of a maker: whole, damaged, and of nothing at all. */
export function anyLines(random: Random, make: Maker, count: number): string[] {
  return Array.from({ length: count }, () => {
    if (random.chance(0.5)) return make(random);
    if (random.chance(0.85))
      return damaged(random, random.chance(0.3) ? damaged(random, make(random)) : make(random));
    return Buffer.from(random.bytes(random.int(0, 60)))
      .toString('latin1')
      .replaceAll('\n', '\r');
  });
}
