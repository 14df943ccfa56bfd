/**
 * `npm run check`: everything that a machine can say about the source without running it. Prints one line
 * a check, the output of those that fail, and exits with 1 if any did. `npm run check -- types lint` runs
 * only those named.
 */

import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmCommand } from './npm.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const packDirectory = join(root, 'build', 'pack');
const parallel = 2;

/** A check is an async function that throws, with the output to show, when something is wrong. */
const checks = {
  types: async () => {
    await tool(
      'typescript/bin/tsc',
      '-p',
      'tsconfig.json',
      '--incremental',
      '--tsBuildInfoFile',
      'build/types.tsbuildinfo',
    );
    await tool('typescript/bin/tsc', '-p', 'tsconfig.scripts.json');
  },
  package: checkPackage,
  lint: () => tool('oxlint/bin/oxlint'),
  imports: () =>
    tool('dependency-cruiser/bin/dependency-cruise.mjs', 'src', 'assembly', 'test', 'bench', 'scripts'),
  unused: () => tool('knip/bin/knip.js', '--treat-config-hints-as-errors'),
  format: () => tool('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'),
};

/** Runs a program; resolves to what it printed, throws the same when it fails. */
function run(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${stdout}${stderr}\n(${signal ?? `exit code ${code}`})`));
    });
  });
}

function tool(path, ...args) {
  return run(process.execPath, [join(root, 'node_modules', path), ...args]);
}

/** Packs what would be published, looks at what is in it, and lets the two package linters do so too. */
async function checkPackage() {
  rmSync(packDirectory, { recursive: true, force: true });
  mkdirSync(packDirectory, { recursive: true });
  const { file, first, shell } = npmCommand();
  // The scripts are left out because the only one, prepack, would repeat the set-up that has just run.
  const args = [...first, 'pack', '--json', '--ignore-scripts', '--pack-destination', 'build/pack'];
  const [packed] = JSON.parse(await run(file, args, { shell }));
  const expected = /^(?:dist\/.*\.(?:js|d\.ts)|README\.md|LICENSE|CHANGELOG\.md|package\.json)$/;
  const paths = packed.files.map((entry) => entry.path);
  const surplus = paths.filter((path) => !expected.test(path));
  const missing = ['README.md', 'LICENSE', 'CHANGELOG.md', 'dist/index.js', 'dist/index.d.ts'].filter(
    (path) => !paths.includes(path),
  );
  if (surplus.length > 0) throw new Error(`the package must not contain ${surplus.join(', ')}`);
  if (missing.length > 0) throw new Error(`the package does not contain ${missing.join(', ')}`);
  const tarball = join(packDirectory, packed.filename);
  await tool('publint/src/cli.js', 'run', tarball, '--strict');
  await tool(
    '@arethetypeswrong/cli/dist/index.js',
    tarball,
    '--profile',
    'esm-only',
    '--no-definitely-typed',
  );
}

async function report(name) {
  const startMs = performance.now();
  const line = (mark) =>
    `${mark}  ${name.padEnd(8)} ${((performance.now() - startMs) / 1000).toFixed(1)} s\n`;
  try {
    await checks[name]();
    process.stdout.write(line('ok    '));
    return true;
  } catch (error) {
    process.stdout.write(`${line('FAILED')}${error.message.trim().replaceAll(/^/gm, '    ')}\n`);
    return false;
  }
}

const named = process.argv.slice(2);
const unknown = named.filter((name) => !Object.hasOwn(checks, name));
if (unknown.length > 0) {
  process.stderr.write(
    `check: no check is named ${unknown.join(', ')}; there are ${Object.keys(checks).join(', ')}\n`,
  );
  process.exit(2);
}
const queue = named.length > 0 ? named : Object.keys(checks);
const total = queue.length;
let failed = 0;
async function work() {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (!(await report(name))) failed += 1;
  }
}
await Promise.all(Array.from({ length: parallel }, work));
process.stdout.write(failed === 0 ? `all ${total} checks passed\n` : `${failed} of ${total} checks failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
