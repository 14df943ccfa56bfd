/**
 * Opening a log whose writer was killed: a child process appends without syncs to one large segment and is
 * killed with SIGKILL while it goes on appending; then a fresh process opens the log, against `cat` of the
 * same file. All of it is in the page cache.
 *
 * Recovery syncs what it accepts. In the row with the target the file has reached the disk before, so that
 * both sides only read; the other row opens it at once, and pays for the write-back of the whole file.
 *
 * @module
 */

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RowSpec } from '../rows.ts';
import type { Context, Suite } from '../suite.ts';

const MIB = 1 << 20;

const rows = {
  synced: {
    id: 'recover/kill-9-open vs cat',
    unit: 's',
    versus: 'cat of the segment',
    target: '<= 3',
  },
  unsynced: {
    id: 'recover/kill-9-open-unsynced vs cat',
    unit: 's',
    versus: 'cat of the segment, which syncs nothing',
    target: null,
  },
} as const satisfies Record<string, RowSpec>;

const child = ['--import', 'tsx', fileURLToPath(new URL('../recover-child.ts', import.meta.url))] as const;

/** Starts a writer, and kills it when it says that it has written so much. */
async function writeAndKill(directory: string, bytes: number): Promise<void> {
  const writer = spawn(process.execPath, [...child, 'write', directory, String(bytes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<NodeJS.Signals | null>((resolve, reject) => {
    writer.once('error', reject);
    writer.once('exit', (_, signal) => resolve(signal));
  });
  for await (const line of createInterface({ input: writer.stdout })) {
    if (line === 'written') writer.kill('SIGKILL');
  }
  if ((await exited) !== 'SIGKILL') throw new Error('the writer ended before it was killed');
}

/** Opens the log in a fresh process. */
function open(directory: string): { seconds: number; records: number } {
  const opened = spawnSync(process.execPath, [...child, 'open', directory], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (opened.status !== 0) throw new Error('the log could not be opened after its writer was killed');
  return JSON.parse(opened.stdout) as { seconds: number; records: number };
}

/** The one segment of the log. */
function segmentOf(directory: string): string {
  const folder = join(directory, 'logs', 'killed-0');
  const names = readdirSync(folder).filter((name) => name.endsWith('.log'));
  if (names.length !== 1) throw new Error(`the log has ${names.length} segments instead of one`);
  return join(folder, names[0]!);
}

/** How long `cat` takes to read a file, in seconds. */
function cat(path: string): number {
  const began = performance.now();
  const result = spawnSync('sh', ['-c', 'cat "$1" > /dev/null', 'sh', path], { stdio: 'inherit' });
  if (result.status !== 0) throw new Error(`cat could not be run: ${result.error?.message ?? result.status}`);
  return (performance.now() - began) / 1000;
}

/** Makes sure that a file is on disk. */
function sync(path: string): void {
  const fd = openSync(path, 'r+');
  fsyncSync(fd);
  closeSync(fd);
}

/** One killed writer and what follows: how long `cat` and the opening take, in seconds. */
async function measure(
  directory: string,
  bytes: number,
  synced: boolean,
): Promise<[open: number, cat: number]> {
  await writeAndKill(directory, bytes);
  const segment = segmentOf(directory);
  if (statSync(segment).size < bytes) throw new Error('the segment is smaller than what was written');
  if (synced) sync(segment);
  const catSeconds = cat(segment);
  const opened = open(directory);
  if (opened.records < bytes / 200) throw new Error(`only ${opened.records} records were recovered`);
  rmSync(directory, { recursive: true });
  return [opened.seconds, catSeconds];
}

async function run(context: Context): Promise<void> {
  if (process.platform === 'win32') {
    for (const { id } of Object.values(rows)) context.skip(id, 'there is no cat on Windows');
    return;
  }
  const bytes = context.tiny ? 2 * MIB : 1024 * MIB;
  const rounds = context.tiny ? 1 : 5;
  const measured = { synced: [[], []] as [number[], number[]], unsynced: [[], []] as [number[], number[]] };
  for (let round = 0; round < rounds; round++) {
    for (const kind of context.tiny ? (['synced'] as const) : (['synced', 'unsynced'] as const)) {
      context.say(`round ${round + 1} of ${rounds}: ${bytes / MIB} MiB, ${kind}`);
      const directory = join(context.directory, `${kind}-${round}`);
      const [openSeconds, catSeconds] = await measure(directory, bytes, kind === 'synced');
      measured[kind][0].push(openSeconds);
      measured[kind][1].push(catSeconds);
    }
  }
  const [samples, versusSamples] = measured.synced;
  context.report(rows.synced.id, { samples, versusSamples });
  if (context.tiny) context.skip(rows.unsynced.id, 'a tiny run leaves it out');
  else {
    context.report(rows.unsynced.id, {
      samples: measured.unsynced[0],
      versusSamples: measured.unsynced[1],
    });
  }
}

export const recoverSuite: Suite = {
  name: 'recover',
  title: 'opening a log of 1 GiB whose writer was killed',
  rows: Object.values(rows),
  run,
};
