/**
 * Runs the tests under other lines of Node.js, which npm has as packages:
 *
 *     node scripts/test-on-node.mjs 22 24 26
 *     node scripts/test-on-node.mjs 24 -- test/log        (what follows -- goes to vitest)
 *
 * The binaries are kept in the temporary directory of the system, not in the checkout. Tests that start
 * processes must start `process.execPath`; the binary comes first on the path as well, so that what they
 * start by name is the same Node.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmCommand } from './npm.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(tmpdir(), 'varve-node');

/** @returns {never} */
function fail(sentence, exitCode = 1) {
  process.stderr.write(`test-on-node: ${sentence}\n`);
  process.exit(exitCode);
}

/**
 * Installs one line of Node.js unless the cache has it.
 *
 * @param {string} major such as `24`
 * @returns {string} the path of the binary
 */
function install(major) {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${platform}-${process.arch}`;
  const home = join(cache, major);
  const binary = join('node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(join(home, binary))) return join(home, binary);
  process.stdout.write(`test-on-node: installing ${name}@${major}\n`);
  // Installed beside its place and then renamed: what is there is complete, whoever else does the same.
  const staging = `${home}.${process.pid}`;
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  const { file, first, shell } = npmCommand();
  const flags = [
    '--no-save',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--global=false',
    '--dry-run=false',
  ];
  const args = [...first, 'install', `${name}@${major}`, '--prefix', '.', ...flags];
  const result = spawnSync(file, args, { cwd: staging, shell, encoding: 'utf8' });
  if (result.status !== 0 || !existsSync(join(staging, binary))) {
    rmSync(staging, { recursive: true, force: true });
    fail(`npm could not install ${name}@${major}\n${result.stdout ?? ''}${result.stderr ?? ''}`);
  }
  try {
    renameSync(staging, home);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(join(home, binary))) throw error;
  }
  return join(home, binary);
}

const args = process.argv.slice(2);
const separator = args.includes('--') ? args.indexOf('--') : args.length;
const majors = args.slice(0, separator);
const vitestArgs = args.slice(separator + 1);
if (majors.length === 0 || majors.some((major) => !/^\d+$/.test(major))) {
  fail('usage: node scripts/test-on-node.mjs MAJOR… [-- VITEST ARGUMENTS]', 2);
}
if (spawnSync(process.execPath, [join(root, 'scripts', 'setup.mjs')], { stdio: 'inherit' }).status !== 0) {
  process.exit(1);
}

const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const failed = [];
for (const major of majors) {
  const binary = install(major);
  const version = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim();
  process.stdout.write(`test-on-node: ${version}\n`);
  const env = { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH ?? ''}` };
  const { status } = spawnSync(binary, [vitest, 'run', ...vitestArgs], { cwd: root, env, stdio: 'inherit' });
  if (status !== 0) failed.push(version);
}
if (failed.length > 0) fail(`the tests failed under ${failed.join(', ')}`);
process.stdout.write(`test-on-node: the tests passed under ${majors.join(', ')}\n`);
