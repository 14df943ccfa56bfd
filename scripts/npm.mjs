/** How the scripts start npm. Runs on nothing but Node. */

import { basename } from 'node:path';

/**
 * The npm that started us, or else the one on the path. On Windows that is a shell script, which only a
 * shell can start.
 *
 * @returns {{ file: string, first: string[], shell: boolean }} the program and its first arguments
 */
export function npmCommand() {
  const cli = process.env.npm_execpath;
  if (cli !== undefined && basename(cli) === 'npm-cli.js') {
    return { file: process.execPath, first: [cli], shell: false };
  }
  return { file: 'npm', first: [], shell: process.platform === 'win32' };
}
