/**
 * Builds what the tests need and cannot make themselves: the kernels, debug builds included, and `dist/`, which
 * child processes and worker threads run. It takes a tenth of a second where they are up to date.
 *
 * @module
 */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export function setup(): void {
  const script = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url));
  execFileSync(process.execPath, [script, '--kernels'], { stdio: 'inherit' });
  execFileSync(process.execPath, [script], { stdio: 'inherit' });
}
