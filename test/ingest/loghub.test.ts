/**
 * A witness from outside: 2,000 lines of a real Hadoop cluster, and what the loghub project (logpai) found
 * in them. The files are not part of the repository; without them the test is skipped, and says so.
 *
 * @module
 */

import { existsSync, readFileSync } from 'node:fs';

import { describe, expect, it, onTestFinished } from 'vitest';

import { ingestFile } from '../../src/ingest/ingest.ts';
import { createRuntime } from '../../src/runtime.ts';
import { readCsv } from '../kit/csv.ts';
import { createBench } from '../kit/ingesting.ts';

const FOLDER: URL = new URL('../../../shared/data/loghub/HDFS/', import.meta.url);
const LOG: URL = new URL('HDFS_2k.log', FOLDER);
const STRUCTURED: URL = new URL('HDFS_2k.log_structured.csv', FOLDER);
const isThere: boolean = existsSync(LOG) && existsSync(STRUCTURED);
const title: string = isThere
  ? 'the HDFS lines of loghub'
  : `the HDFS lines of loghub (skipped: no ${LOG.pathname})`;

describe.skipIf(!isThere)(title, () => {
  it('become the entries that others found in them', async () => {
    const runtime = createRuntime({ memoryBytes: 32 << 20, threads: 1 });
    const { log, records, close } = await createBench(runtime);
    onTestFinished(async () => {
      await close();
      await runtime.close();
    });
    const report = await ingestFile(log, LOG.pathname, { runtime });
    const rows = readCsv(readFileSync(STRUCTURED, 'utf8'));
    const lines = readFileSync(LOG, 'latin1').split('\r\n').slice(0, -1);
    expect(rows).toHaveLength(2000);
    const expected = rows.map((row, offset) => {
      const {
        Date: date = '',
        Time: time = '',
        Pid: pid,
        Level: level,
        Component: component,
        Content: content,
      } = row;
      const [year, month, day] = date.match(/../g) ?? [];
      const [hours, minutes, seconds] = time.match(/../g) ?? [];
      const timestamp = Date.parse(`20${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
      const value = `${date} ${time} ${pid} ${level} ${component}: ${content}`;
      return { offset, timestamp, value, headers: { level, pid, component } };
    });
    expect(expected.map(({ value }) => value)).toEqual(lines);
    expect(await records()).toEqual(expected);

    const levels = rows.map(({ Level: level }) => level);
    expect(report).toMatchObject({
      format: 'hdfs',
      lines: 2000,
      records: 2000,
      unparsed: 0,
      levels: {
        INFO: levels.filter((level) => level === 'INFO').length,
        WARN: levels.filter((level) => level === 'WARN').length,
      },
      firstTimestamp: Math.min(...expected.map(({ timestamp }) => timestamp)),
      lastTimestamp: Math.max(...expected.map(({ timestamp }) => timestamp)),
    });
  });
});
