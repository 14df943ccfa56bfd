/**
 * Patterns for the layouts of the sixteen systems that logpai's loghub has, each with a line of that layout
 * that was made up here.
 *
 * @module
 */

import { describe, expect, it } from 'vitest';

import { FIELDS_PARSED } from '../../src/memory/layout.ts';
import { type ParsedLine, parseOne } from '../kit/parsing.ts';

interface System {
  pattern: string;
  time: string;
  line: string;
  expected: Partial<ParsedLine>;
}

const YEAR_FROM: number = Date.UTC(2020, 0, 1);

const SYSTEMS: Readonly<Record<string, System>> = {
  Android: {
    pattern: '<Date> <Time>  <Pid>  <Tid> <Level> <Component>: <Content>',
    time: 'MM-dd HH:mm:ss.SSS',
    line: '03-17 16:13:38.811  1702  2395 D WindowManager: window 4: shown=true',
    expected: {
      time: '2020-03-17T16:13:38.811Z',
      level: 'DEBUG',
      pid: '1702',
      component: 'WindowManager',
      content: 'window 4: shown=true',
      extras: { Tid: '2395' },
    },
  },
  Apache: {
    pattern: '\\[<Time>\\] \\[<Level>\\] <Content>',
    time: 'EEE MMM dd HH:mm:ss yyyy',
    line: '[Fri Jan 10 04:47:44 2020] [error] [client 10.0.0.1] child 12 is gone',
    expected: {
      time: '2020-01-10T04:47:44.000Z',
      level: 'ERROR',
      content: '[client 10.0.0.1] child 12 is gone',
    },
  },
  BGL: {
    pattern: '<Label> <Timestamp> <Date> <Node> <Time> <NodeRepeat> <Type> <Component> <Level> <Content>',
    time: '<Time> yyyy-MM-dd-HH.mm.ss.SSSSSS',
    line: '- 1117838570 2005.06.03 R02-M1-N0-C:J12-U11 2005-06-03-15.42.50.675872 R02-M1-N0-C:J12-U11 RAS KERNEL FATAL data storage interrupt',
    expected: {
      time: '2005-06-03T15:42:50.675Z',
      nanoseconds: 872_000,
      level: 'FATAL',
      component: 'KERNEL',
      content: 'data storage interrupt',
      extras: {
        Label: '-',
        Timestamp: '1117838570',
        Date: '2005.06.03',
        Node: 'R02-M1-N0-C:J12-U11',
        NodeRepeat: 'R02-M1-N0-C:J12-U11',
        Type: 'RAS',
      },
    },
  },
  Hadoop: {
    pattern: '<Date> <Time> <Level> \\[<Process>\\] <Component>: <Content>',
    time: 'yyyy-MM-dd HH:mm:ss,SSS',
    line: '2015-10-18 18:01:47,978 INFO [IPC Server handler 3 on 40000] org.example.Master: made it',
    expected: {
      time: '2015-10-18T18:01:47.978Z',
      component: 'org.example.Master',
      content: 'made it',
      extras: { Process: 'IPC Server handler 3 on 40000' },
    },
  },
  HDFS: {
    pattern: '<Date> <Time> <Pid> <Level> <Component>: <Content>',
    time: 'yyMMdd HHmmss',
    line: '081109 203615 148 WARN dfs.Node$Worker: block blk_17 is late',
    expected: { time: '2008-11-09T20:36:15.000Z', level: 'WARN', pid: '148', component: 'dfs.Node$Worker' },
  },
  HealthApp: {
    pattern: '<Time>\\|<Component>\\|<Pid>\\|<Content>',
    time: 'yyyyMMdd-H:m:s:S',
    line: '20171224-0:7:20:39|Step_Counter|30002312|steps: 3579',
    expected: {
      time: '2017-12-24T00:07:20.039Z',
      component: 'Step_Counter',
      pid: '30002312',
      content: 'steps: 3579',
    },
  },
  HPC: {
    pattern: '<LogId> <Node> <Component> <State> <Time> <Flag> <Content>',
    time: 'epochSeconds',
    line: '460903 node-70 unix.hw state_change.unavailable 1145552216 1 Component State Change',
    expected: {
      time: '2006-04-20T16:56:56.000Z',
      component: 'unix.hw',
      content: 'Component State Change',
      extras: { LogId: '460903', Node: 'node-70', State: 'state_change.unavailable', Flag: '1' },
    },
  },
  Linux: {
    pattern: '<Month> <Date> <Time> <Level> <Component>(\\[<PID>\\])?: <Content>',
    time: 'MMM d HH:mm:ss',
    line: 'Jun  9 06:06:20 combo sshd(pam_unix)[19939]: session of a user',
    expected: {
      time: '2020-06-09T06:06:20.000Z',
      levelText: 'combo',
      component: 'sshd(pam_unix)',
      pid: '19939',
      content: 'session of a user',
    },
  },
  Mac: {
    pattern: '<Month>  <Date> <Time> <User> <Component>\\[<PID>\\]( \\(<Address>\\))?: <Content>',
    time: 'MMM d HH:mm:ss',
    line: 'Jul  1 09:00:55 laptop com.example.http[110] (com.example.agent[18931]): slept 10 seconds',
    expected: {
      time: '2020-07-01T09:00:55.000Z',
      component: 'com.example.http',
      pid: '110',
      content: 'slept 10 seconds',
      extras: { User: 'laptop', Address: 'com.example.agent[18931]' },
    },
  },
  OpenSSH: {
    pattern: '<Date> <Day> <Time> <Component> sshd\\[<Pid>\\]: <Content>',
    time: 'MMM d HH:mm:ss',
    line: 'Dec 10 06:55:46 Host sshd[24200]: no such user: nobody',
    expected: {
      time: '2020-12-10T06:55:46.000Z',
      component: 'Host',
      pid: '24200',
      content: 'no such user: nobody',
    },
  },
  OpenStack: {
    pattern: '<Logrecord> <Date> <Time> <Pid> <Level> <Component> \\[<ADDR>\\] <Content>',
    time: 'yyyy-MM-dd HH:mm:ss.SSS',
    line: 'api.log.1 2017-05-16 00:00:00.008 25746 INFO nova.wsgi [req-17 - - -] "GET /v2" status: 200',
    expected: {
      time: '2017-05-16T00:00:00.008Z',
      pid: '25746',
      component: 'nova.wsgi',
      content: '"GET /v2" status: 200',
      extras: { Logrecord: 'api.log.1', ADDR: 'req-17 - - -' },
    },
  },
  Proxifier: {
    pattern: '\\[<Time>\\] <Program> - <Content>',
    time: 'MM.dd HH:mm:ss',
    line: '[10.30 16:49:06] browser.exe *64 - proxy.example:5070 open through proxy - HTTPS',
    expected: {
      time: '2020-10-30T16:49:06.000Z',
      component: 'browser.exe *64',
      content: 'proxy.example:5070 open through proxy - HTTPS',
    },
  },
  Spark: {
    pattern: '<Date> <Time> <Level> <Component>: <Content>',
    time: 'yy/MM/dd HH:mm:ss',
    line: '17/06/09 20:10:40 INFO executor.Backend: signals: [TERM, HUP]',
    expected: {
      time: '2017-06-09T20:10:40.000Z',
      component: 'executor.Backend',
      content: 'signals: [TERM, HUP]',
    },
  },
  Thunderbird: {
    pattern:
      '<Label> <Timestamp> <Date> <User> <Month> <Day> <Time> <Location> <Component>(\\[<PID>\\])?: <Content>',
    time: '<Timestamp> epochSeconds',
    line: '- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: session closed',
    expected: {
      time: '2005-11-09T20:01:01.000Z',
      component: 'crond(pam_unix)',
      pid: '2915',
      content: 'session closed',
      extras: {
        Label: '-',
        Date: '2005.11.09',
        User: 'dn228',
        Month: 'Nov',
        Day: '9',
        Time: '12:01:01',
        Location: 'dn228/dn228',
      },
    },
  },
  Windows: {
    pattern: '<Date> <Time>, <Level>                  <Component>    <Content>',
    time: 'yyyy-MM-dd HH:mm:ss',
    line: '2016-09-28 04:30:30, Info                  CBS    Stack version is 6.1',
    expected: {
      time: '2016-09-28T04:30:30.000Z',
      level: 'INFO',
      component: 'CBS',
      content: 'Stack version is 6.1',
    },
  },
  Zookeeper: {
    pattern: '<Date> <Time> - <Level>  \\[<Node>:<Component>@<Id>\\] - <Content>',
    time: 'yyyy-MM-dd HH:mm:ss,SSS',
    line: '2015-07-29 17:41:44,747 - WARN  [Peer[myid=1]/0:0:0:2181:Election@774] - timed out: 3200',
    expected: {
      time: '2015-07-29T17:41:44.747Z',
      level: 'WARN',
      component: '0:0:2181:Election',
      content: 'timed out: 3200',
      extras: { Node: 'Peer[myid=1]/0', Id: '774' },
    },
  },
};

/** What the lazy regular expression that logpai makes of a pattern finds. */
function lazily(pattern: string, line: string): Record<string, string | undefined> | undefined {
  const source = pattern
    .split(/(<[^<>]+>)/)
    .map((part, i) => (i % 2 === 1 ? `(?${part}.*?)` : part.replaceAll(/ +/g, '\\s+')))
    .join('');
  return new RegExp(`^${source}$`).exec(line)?.groups;
}

describe('a pattern describes the layout of', () => {
  expect(Object.keys(SYSTEMS)).toHaveLength(16);
  for (const [name, { pattern, time, line, expected }] of Object.entries(SYSTEMS)) {
    it(name, () => {
      const found = parseOne(line, { pattern, time }, { yearFrom: YEAR_FROM });
      expect(found).toMatchObject({ status: FIELDS_PARSED, nanoseconds: 0, ...expected });
      // What a field is, logpai's own way of reading the pattern says too.
      const groups = lazily(pattern, line) ?? {};
      const { levelText, pid, component, content, extras } = found;
      const rowFields = { Level: levelText, Pid: pid, PID: pid, Component: component, Program: component };
      const all: Record<string, string> = { ...rowFields, Content: content, ...extras };
      for (const [field, text] of Object.entries(groups)) {
        if (all[field] !== undefined && all[field] !== '') expect([field, all[field]]).toEqual([field, text]);
      }
      expect(groups['Content']).toBe(content);
    });
  }
});
