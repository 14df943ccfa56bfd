/**
 * What a command gets to work with, and the frame that every command runs in: interruption, a reader that
 * goes away, failures, exit codes.
 *
 * @module
 */

import { constants } from 'node:os';
import pc from 'picocolors';
import { type Clock, systemClock } from '../clock.ts';
import { sentenceOf } from './failure.ts';
import { Output } from './output.ts';
import { Progress, type ProgressOptions } from './progress.ts';

/** 0: done. 1: done, and the answer is no (damage was found). 2: it could not be done. */
export type ExitCode = 0 | 1 | 2;

const FAILED: ExitCode = 2;

type Colours = ReturnType<typeof pc.createColors>;

export interface Context {
  /** Where the answer goes. */
  readonly stdout: Output;
  /** Colours for `stdout`: none in a pipe, or with NO_COLOR. */
  readonly colours: Colours;
  readonly clock: Clock;
  /** Aborted by Ctrl-C, by SIGTERM, and when nobody reads `stdout` any more. */
  readonly signal: AbortSignal;
  /** Says something in passing, as one line on standard error. */
  note(text: string): void;
  /** A bar on standard error, where that is a terminal. */
  progress(options: Pick<ProgressOptions, 'label' | 'total' | 'unit'>): Progress;
}

/** Why `signal` was aborted. */
class Interruption extends Error {
  override readonly name = 'AbortError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs one command to its end and leaves the process with its exit code.
 *
 * @param command what to run; it closes what it opened even when `signal` stops it
 */
export async function execute(command: (context: Context) => Promise<ExitCode>): Promise<never> {
  const controller = new AbortController();
  const { signal } = controller;
  for (const name of SIGNALS) {
    process.on(name, () => {
      // The second time is meant: leave as one who never listened.
      if (signal.aborted && signal.reason instanceof Interruption && signal.reason.exitCode !== 0) die(name);
      controller.abort(new Interruption(`stopped by ${name}`, 128 + constants.signals[name]));
    });
  }
  const stdout = new Output(process.stdout, () => controller.abort(new Interruption('nobody reads', 0)));
  process.on('uncaughtException', (error) => process.exit(report(error)));

  // A command that waits for nothing but a clock's timers, which keep no process alive, is not finished.
  const alive = setInterval(() => {}, 2 ** 30);
  let exitCode: number;
  try {
    exitCode = await command(makeContext(stdout, signal));
    await stdout.end();
  } catch (error) {
    exitCode = isInterruption(error, signal) ? 0 : report(error);
    await stdout.end().catch(() => {});
  }
  clearInterval(alive);
  if (signal.reason instanceof Interruption && exitCode !== FAILED) exitCode = signal.reason.exitCode;
  return process.exit(exitCode);
}

function makeContext(stdout: Output, signal: AbortSignal): Context {
  const colours = pc.createColors(wantsColours(process.stdout));
  const errorColours = pc.createColors(wantsColours(process.stderr));
  let bar: Progress | undefined;
  return {
    stdout,
    colours,
    clock: systemClock,
    signal,
    note(text) {
      bar?.clear();
      process.stderr.write(`varve: ${text}\n`);
    },
    progress(options) {
      bar = new Progress({
        stream: process.stderr,
        clock: systemClock,
        style: errorColours.cyan,
        ...options,
      });
      return bar;
    },
  };
}

function wantsColours(stream: { isTTY?: boolean }): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '' && FORCE_COLOR !== '0') return true;
  return stream.isTTY === true && TERM !== 'dumb';
}

/** What is thrown because of an abort is either its reason or an error of that name. */
function isInterruption(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError');
}

/** Prints a failure; the way of it only to who asked for that. */
export function report(error: unknown): ExitCode {
  process.stderr.write(`varve: ${sentenceOf(error)}\n`);
  if (process.env['VARVE_DEBUG'] === '1') process.stderr.write(`${inspectError(error)}\n`);
  return FAILED;
}

function inspectError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${inspectError(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

function die(name: (typeof SIGNALS)[number]): void {
  process.removeAllListeners(name);
  process.kill(process.pid, name);
}
