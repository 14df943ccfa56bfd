/**
 * The set-up that every command starts with, run on a small checkout of its own: one dependency, which is
 * a folder, so that npm needs no registry, and a build that leaves a mark.
 */

import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ROOT } from './kit/sources.ts';

const INSTALLING = 'setup: installing the dependencies (npm ci)\n';
const BUILDING = 'built\n';

let directory = '';

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'varve setup ')), 'a checkout');
  for (const name of ['setup.mjs', 'npm.mjs']) {
    cpSync(join(ROOT, 'scripts', name), join(directory, 'scripts', name));
  }
  write(
    'scripts/build.mjs',
    `import { existsSync, writeFileSync } from 'node:fs';
    const mark = new URL('../mark', import.meta.url);
    if (!existsSync(mark)) {
      writeFileSync(mark, '');
      console.log('built');
    }`,
  );
  writeManifests('1.0.0');
});

afterEach(() => {
  rmSync(join(directory, '..'), { recursive: true, force: true });
});

function write(path: string, content: string): void {
  mkdirSync(join(directory, path, '..'), { recursive: true });
  writeFileSync(join(directory, path), content);
}

/** The checkout with its only dependency in the given version. */
function writeManifests(version: string): void {
  const own = { name: 'checkout', version: '1.0.0', devDependencies: { leaf: 'file:leaf' } };
  const leaf = { name: 'leaf', version };
  const packages = {
    '': own,
    leaf: { version, dev: true },
    'node_modules/leaf': { resolved: 'leaf', link: true },
    'node_modules/elsewhere': { version: '1.0.0', optional: true, os: ['none'] },
  };
  write('package.json', JSON.stringify(own));
  write('leaf/package.json', JSON.stringify(leaf));
  write('package-lock.json', JSON.stringify({ ...own, lockfileVersion: 3, requires: true, packages }));
}

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

function setup(env: NodeJS.ProcessEnv = {}, ...nodeFlags: string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const args = [...nodeFlags, join(directory, 'scripts', 'setup.mjs')];
    const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, cwd: tmpdir() });
    const outcome: Outcome = { code: null, stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (outcome.stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (outcome.stderr += String(chunk)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...outcome, code }));
  });
}

test('a fresh checkout is installed and built, and the second time nothing is done or said', async () => {
  expect(await setup()).toEqual({ code: 0, stdout: INSTALLING + BUILDING, stderr: '' });
  expect(existsSync(join(directory, 'node_modules', 'leaf', 'package.json'))).toBe(true);
  expect(await setup()).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('it installs again when the lock file changed or a package is gone', async () => {
  await setup();
  rmSync(join(directory, 'node_modules', 'leaf'), { recursive: true });
  expect((await setup()).stdout).toBe(INSTALLING);
  writeManifests('1.0.1');
  expect((await setup()).stdout).toBe(INSTALLING);
  expect((await setup()).stdout).toBe('');
});

test('settings that npm hands down in the environment do not change what is installed', async () => {
  const env = {
    NODE_ENV: 'production',
    npm_config_omit: 'dev',
    npm_config_global: 'true',
    npm_config_dry_run: 'true',
    npm_config_ignore_scripts: 'true',
    npm_config_json: 'true',
  };
  expect(await setup(env)).toEqual({ code: 0, stdout: INSTALLING + BUILDING, stderr: '' });
  expect(existsSync(join(directory, 'node_modules', 'leaf', 'package.json'))).toBe(true);
});

test('what npm has to say about a failure is shown, and one sentence after it', async () => {
  const manifest = readFileSync(join(directory, 'package.json'), 'utf8');
  write('package.json', manifest.replace('"file:leaf"', '"file:branch"'));
  const { code, stdout, stderr } = await setup();
  expect({ code, stdout }).toEqual({ code: 1, stdout: INSTALLING });
  expect(stderr).toMatch(/npm error .*\nsetup: npm ci failed; its output is above\n$/s);
});

test('a build that fails ends the command that wanted it', async () => {
  write('scripts/build.mjs', "console.error('no such type'); process.exitCode = 1;");
  expect(await setup()).toEqual({
    code: 1,
    stdout: INSTALLING,
    stderr: 'no such type\nsetup: the build failed; its output is above\n',
  });
});

test('two at once install and build once', async () => {
  const [first, second] = await Promise.all([setup(), setup()]);
  expect([first.code, second.code]).toEqual([0, 0]);
  const said = (first.stdout + second.stdout).replace(/setup: waiting.*\n/, '');
  expect(said).toBe(INSTALLING + BUILDING);
});

test('a lock that a killed set-up left behind is taken over', async () => {
  const dead = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await new Promise((resolve) => dead.on('close', resolve));
  write('build/setup.lock', String(dead.pid));
  expect((await setup()).stdout).toBe(INSTALLING + BUILDING);
  expect(existsSync(join(directory, 'build', 'setup.lock'))).toBe(false);
});

test('an old Node.js is told which one is needed', async () => {
  const pretend =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } });" +
    "Object.defineProperty(process, 'version', { value: 'v18.20.4' });";
  const flag = `--import=data:text/javascript,${encodeURIComponent(pretend)}`;
  expect(await setup({}, flag)).toEqual({
    code: 1,
    stdout: '',
    stderr: 'setup: varve needs Node.js 20 or later, and this is v18.20.4\n',
  });
});
