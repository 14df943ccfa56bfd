/**
 * Runs the command as its users do: the built program, in a process of its own.
 *
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export const MAIN: string = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Finished {
  /** The exit code, or null where a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** What it reads from standard input. */
  input?: string | Uint8Array;
  env?: Record<string, string>;
  /** Leaves standard input open, for the test to write to. */
  keepOpen?: boolean;
  /** The directory that it runs in. */
  cwd?: string;
  /** A file that it writes its answer to. */
  outputFile?: string;
}

/** Starts `varve` and leaves it to the caller; it does not outlive the test. */
export function startVarve(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const output = options.outputFile === undefined ? 'pipe' : openSync(options.outputFile, 'w');
  // Colours as the command itself decides: a newer Node.js warns where both of these are there, though empty.
  const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['pipe', output, 'pipe'],
    cwd: options.cwd,
    env: { ...env, VARVE_DEBUG: '', ...options.env },
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
    if (output !== 'pipe') closeSync(output);
  });
  child.stdin?.on('error', () => {});
  if (options.keepOpen !== true) child.stdin?.end(options.input ?? '');
  return child;
}

/** Waits for a process, and collects what it prints. */
export function finished(child: ChildProcess): Promise<Finished> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (piece: Buffer) => stdout.push(piece));
  child.stderr?.on('data', (piece: Buffer) => stderr.push(piece));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({
        code,
        signal,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
  });
}

/** Runs `varve` to its end. */
export function varve(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return finished(startVarve(args, options));
}

/** An empty directory that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'varve-cli-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The objects of a text with one JSON object a line. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
