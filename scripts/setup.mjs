/**
 * Makes a checkout ready to run: the dependencies of package-lock.json, then the build. Every command of
 * package.json starts with it, so that a fresh clone needs no other step. It says one line for each thing
 * it does and nothing when there is nothing to do.
 *
 * It is called from the scripts themselves and not from `pre...` scripts, because npm leaves those out
 * where `ignore-scripts` is set. It runs on nothing but Node, and is written so that an old Node can
 * still read it and say what is wrong.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmCommand } from './npm.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lockPath = join(root, 'build', 'setup.lock');
const lockMaxAgeMs = 15 * 60_000;

/** Stops with one sentence, after whatever a failed program had to say. */
function fail(sentence, output = '') {
  if (output !== '') process.stderr.write(`${output.trimEnd()}\n`);
  process.stderr.write(`setup: ${sentence}\n`);
  process.exit(1);
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Whether node_modules is what package-lock.json asks for. The stamp is npm's own: the lock file that it
 * leaves inside node_modules as the last step of an installation. So nothing needs to be written, and an
 * `npm install` by hand counts too.
 *
 * An optional package may be missing: most of them are for other platforms.
 */
function isInstalled() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  const present = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (wanted === undefined || present === undefined) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = present[path];
    if (found === undefined) {
      if (entry.optional === true) continue;
      return false;
    }
    if (found.version !== entry.version) return false;
    if (entry.integrity !== undefined && found.integrity !== entry.integrity) return false;
    if (!existsSync(join(root, path))) return false;
  }
  return Object.keys(present).every((path) => wanted[path] !== undefined);
}

function install() {
  process.stdout.write('setup: installing the dependencies (npm ci)\n');
  // What a user's settings or an outer `npm --some-flag` put into the environment must not reach this
  // npm: the tools of the build are development dependencies, and some are optional ones. No package
  // needs its install script, so none runs.
  const flags = ['--include=dev', '--include=optional', '--ignore-scripts', '--global=false'];
  const quiet = [
    '--location=project',
    '--dry-run=false',
    '--audit=false',
    '--fund=false',
    '--progress=false',
  ];
  const { file, first, shell } = npmCommand();
  const result = spawnSync(file, [...first, 'ci', ...flags, ...quiet], {
    cwd: root,
    shell,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (result.error !== undefined) fail(`npm could not be started: ${result.error.message}`);
  if (result.status !== 0) fail('npm ci failed; its output is above', `${result.stdout}${result.stderr}`);
  if (!isInstalled()) fail('npm ci succeeded, but node_modules is not what package-lock.json asks for');
}

/** Builds in this process, because that costs half as much as another one when there is nothing to do. */
async function build() {
  await import(new URL('build.mjs', import.meta.url).href);
  if (process.exitCode) fail('the build failed; its output is above');
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes the lock unless a living set-up has it; one that was left behind by a dead one is replaced. */
function tryLock() {
  try {
    writeFileSync(lockPath, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  try {
    const pid = Number(readFileSync(lockPath, 'utf8'));
    const ageMs = Date.now() - statSync(lockPath).mtimeMs;
    // An empty file is one whose owner is about to write its number into it.
    const abandoned = pid === 0 ? ageMs > 1000 : !isAlive(pid) || ageMs > lockMaxAgeMs;
    if (abandoned) rmSync(lockPath, { force: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  return false;
}

/**
 * Runs `action` while no other set-up of this checkout does: `npm start` beside `npm test` waits. Where the
 * checkout cannot be written to, nobody can build in it either, and no lock is needed.
 */
async function locked(action) {
  try {
    mkdirSync(dirname(lockPath), { recursive: true });
    let waits = 0;
    while (!tryLock()) {
      waits += 1;
      // Another one that has nothing to do is over before this line is worth reading.
      if (waits === 25) process.stdout.write('setup: waiting for another set-up of this checkout\n');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  } catch (error) {
    if (!['EROFS', 'EACCES', 'EPERM'].includes(error.code)) throw error;
    await action();
    return;
  }
  const unlock = () => rmSync(lockPath, { force: true });
  process.on('exit', unlock);
  // While npm or tsc run, this waits for them to end; a terminal's Ctrl-C has reached them as well.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
  await action();
}

if (Number(process.versions.node.split('.')[0]) < 20) {
  fail(`varve needs Node.js 20 or later, and this is ${process.version}`);
}
await locked(async () => {
  if (!isInstalled()) install();
  if (!process.argv.includes('--no-build')) await build();
});
