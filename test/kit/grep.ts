/** GNU grep, and `loggrep` called within the process, for comparisons. */

import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import pc from 'picocolors';
import type { Context } from '../../src/cli/context.ts';
import { addLoggrep } from '../../src/cli/log-commands.ts';
import { type LoggrepCommandOptions, loggrep } from '../../src/cli/loggrep.ts';
import { Output } from '../../src/cli/output.ts';
import { Progress } from '../../src/cli/progress.ts';
import { systemClock } from '../../src/clock.ts';

export interface Grepped {
  code: number | null;
  stdout: string;
}

/** Why there is nothing to compare with; undefined where there is. */
export const whyNoGnuGrep: string | undefined = spawnSync('grep', ['--version'], {
  encoding: 'utf8',
}).stdout?.includes('GNU grep')
  ? undefined
  : 'GNU grep is what the answers are compared with, and is not here';

/** What GNU grep answers. It takes text with zero bytes for binary unless told otherwise. */
export function gnuGrep(args: readonly string[], locale: 'C' | 'C.UTF-8' = 'C.UTF-8'): Grepped {
  const env = { ...process.env, LC_ALL: locale, GREP_COLORS: '' };
  const { status, stdout } = spawnSync('grep', ['-a', ...args], { env, maxBuffer: 1 << 28 });
  return { code: status, stdout: stdout.toString('latin1') };
}

/** What `loggrep` answers, with arguments as they are typed. */
export async function loggrepHere(args: readonly string[]): Promise<Grepped> {
  const program = new Command();
  addLoggrep(program);
  let parsed: { args: string[]; options: LoggrepCommandOptions } | undefined;
  program.commands[0]?.action((pattern: string, files: string[], options: LoggrepCommandOptions) => {
    parsed = { args: [pattern, ...files], options };
  });
  program.parse(['loggrep', ...args], { from: 'user' });
  return grepHere(parsed?.args ?? [], parsed?.options ?? {});
}

/** What `loggrep` answers, with options as commander has parsed them. */
export async function grepHere(args: readonly string[], options: LoggrepCommandOptions): Promise<Grepped> {
  const pieces: Buffer[] = [];
  const stdout = new Output({
    write(piece) {
      pieces.push(Buffer.from(piece));
      return true;
    },
    on: () => undefined,
  });
  const context: Context = {
    stdout,
    colours: pc.createColors(false),
    clock: systemClock,
    signal: new AbortController().signal,
    note: () => undefined,
    progress: (bar) => new Progress({ stream: { write: () => undefined }, clock: systemClock, ...bar }),
  };
  const code = await loggrep(args, options, context);
  await stdout.flush();
  return { code, stdout: Buffer.concat(pieces).toString('latin1') };
}
