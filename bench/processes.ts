/**
 * Whole processes, from their start to their end: what the user of a command waits for.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { builtPath } from './engine.ts';

/**
 * Runs inside the measured process, and says at its end how much memory it had at most, in KiB. Linux's
 * own figure is preferred to getrusage's, which a process inherits from the one that started it.
 */
const reportPeak = `
import { readFileSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
if (isMainThread) process.on('exit', () => {
  let peak = process.resourceUsage().maxRSS;
  try {
    peak = Number(/VmHWM:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  } catch {}
  writeSync(3, String(peak));
});
`;
const hook = `data:text/javascript,${encodeURIComponent(reportPeak)}`;
const OUTPUT_BYTES_MAX: number = 64 << 20;

/** What a process took. */
export interface Ran {
  ms: number;
  stdout: string;
}

/** Runs a program; a code other than 0 is an error. */
export function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Ran {
  const began = performance.now();
  const ran = spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: OUTPUT_BYTES_MAX,
    env: { ...process.env, ...env },
  });
  const ms = performance.now() - began;
  if (ran.status !== 0) throw new Error(`${program} failed: ${ran.error?.message ?? ran.stderr}`);
  return { ms, stdout: ran.stdout };
}

/** Runs the command as its users do. */
export function runVarve(args: readonly string[]): Ran {
  return runProgram(process.execPath, [builtPath('cli/main.js'), ...args]);
}

/** Runs the command, and asks it for the most memory that it had. */
export function runVarveForPeak(args: readonly string[]): Ran & { peakMib: number } {
  const began = performance.now();
  const ran = spawnSync(process.execPath, ['--import', hook, builtPath('cli/main.js'), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  const ms = performance.now() - began;
  if (ran.status !== 0) throw new Error(`varve ${args[0]} failed: ${ran.stderr}`);
  return { ms, stdout: ran.stdout, peakMib: Number(ran.output[3]) / 1024 };
}

/** Whether a program can be started. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}
