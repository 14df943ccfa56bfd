/**
 * The formats that are built in, by name. Most of them are patterns; those whose lines are not made of parts in
 * a fixed order have kernels of their own.
 *
 * @module
 */

/** The name of a format that is built in; what each is stands in docs/LOGS.md. */
export type LineFormat =
  | 'hdfs'
  | 'hadoop'
  | 'spark'
  | 'zookeeper'
  | 'openstack'
  | 'syslog'
  | 'syslog5424'
  | 'apache'
  | 'access'
  | 'json'
  | 'logfmt'
  | 'plain';

/** The pattern of a line, and that of its time. */
interface BuiltInPattern {
  pattern: string;
  time: string;
  /** Whether an entry may have more lines. */
  joins: boolean;
}

/** Formats that are patterns. */
export const PATTERNS: Readonly<Partial<Record<LineFormat, BuiltInPattern>>> = {
  hadoop: {
    pattern: '<Date> <Time> <Level:word> [<process>] <Component:word>: <Content>',
    time: 'yyyy-MM-dd HH:mm:ss,SSS',
    joins: true,
  },
  spark: {
    pattern: '<Date> <Time> <Level:word> <Component:word>: <Content>',
    time: 'yy/MM/dd HH:mm:ss',
    joins: true,
  },
  zookeeper: {
    pattern: '<Date> <Time> - <Level:word> [<node>:<Component>@<id:int>] - <Content>',
    time: 'yyyy-MM-dd HH:mm:ss,SSS',
    joins: true,
  },
  openstack: {
    pattern: '(<file:word> )?<Date> <Time> <Pid:int> <Level:word> <Component:word> ([<request>] )?<Content>',
    time: 'yyyy-MM-dd HH:mm:ss[.S+]',
    joins: true,
  },
  syslog: {
    pattern: '(\\<<priority:priority>\\>)?<Time> <host:word> (<Component:word>([<Pid:word>])?: )?<Content>',
    time: 'MMM d HH:mm:ss',
    joins: true,
  },
  syslog5424: {
    pattern:
      '\\<<priority:priority>\\><version:int> <Time> <host:dash> <Component:dash> <Pid:dash> <msgid:dash> <data:structured> <Content>',
    time: 'iso8601',
    joins: true,
  },
  apache: {
    pattern: '[<Time>] [(<Component:word>:)?<Level:word>] ([pid <Pid:word>] )?<Content>',
    time: 'EEE MMM d HH:mm:ss[.S+] yyyy',
    joins: true,
  },
  access: {
    pattern:
      '<client:word> <identity:dash> <user:dash> [<Time>] "<Content:quoted>" <status:status> <bytes:dash>( "<referer:quoted>" "<agent:quoted>")?',
    time: 'dd/MMM/yyyy:HH:mm:ss Z',
    joins: false,
  },
};

/** The names of all formats. */
export const LINE_FORMATS: readonly LineFormat[] = [
  'hdfs',
  'hadoop',
  'spark',
  'zookeeper',
  'openstack',
  'syslog',
  'syslog5424',
  'apache',
  'access',
  'json',
  'logfmt',
  'plain',
];

/** The formats that can be told from others by trying them. */
export const TELLING_FORMATS: readonly LineFormat[] = LINE_FORMATS.filter((format) => format !== 'plain');
