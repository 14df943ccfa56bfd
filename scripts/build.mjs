/**
 * Builds varve, without what is up to date already:
 *
 *     node scripts/build.mjs             the kernels, then dist/
 *     node scripts/build.mjs --kernels   the kernels only, their debug builds too (the tests need those)
 *
 * The kernels go from assembly/ into build/*.wasm, as asconfig.json says, and the release builds as base64
 * into src/memory/kernels.generated.ts, so that the package finds them wherever it is bundled to and in
 * every worker. Then tsc compiles src/ into dist/. A step is skipped where the hash of all that goes into
 * it is the one that the last run left in build/. Several runs at once do no harm: files are renamed into place.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const RELEASE_TARGETS = ['plain-release', 'simd-release'];
const DEBUG_TARGETS = ['plain-debug', 'simd-debug'];
const GENERATED = 'src/memory/kernels.generated.ts';
const EXECUTABLE = 'dist/cli/main.js';
/** What tsc says before the name of a file it wrote. */
const EMITTED = 'TSFILE: ';

/**
 * @param {string} folder relative to the root
 * @returns {string[]} all files below it, relative to the root
 */
function listFiles(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1))
    .sort();
}

/**
 * @param {string[]} files relative to the root
 * @returns {string} what changes when one of them does
 */
function hashFiles(files) {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

/**
 * @param {string} file relative to the root
 * @param {string | Uint8Array} content
 */
function writeFile(file, content) {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}

/**
 * @param {string} step whose stamp it is
 * @param {string} hash of its inputs
 * @param {string} output a file that must be there
 * @returns {boolean} whether the step has nothing to do
 */
function isFresh(step, hash, output) {
  const stamp = join(root, `build/${step}.stamp`);
  return existsSync(join(root, output)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
}

/** @param {string} target @returns {string} */
function wasmFile(target) {
  return `build/kernels.${target.replace('-', '.')}.wasm`;
}

/**
 * @param {string} target one of asconfig.json
 * @param {string} hash of its inputs
 */
async function buildTarget(target, hash) {
  const output = wasmFile(target);
  if (isFresh(`kernels.${target}`, hash, output)) return;
  const { main } = await import('assemblyscript/asc');
  mkdirSync(join(root, 'build'), { recursive: true });
  const temporary = `${output}.${process.pid}.tmp`;
  const { error, stderr } = await main([
    '--config',
    'asconfig.json',
    '--target',
    target,
    '--baseDir',
    root,
    '--outFile',
    temporary,
  ]);
  if (error) throw new Error(`asc could not build ${target}: ${error.message}\n${stderr.toString()}`);
  process.stderr.write(stderr.toString());
  renameSync(join(root, temporary), join(root, output));
  writeFile(`build/kernels.${target}.stamp`, hash);
  console.log(`built ${output}`);
}

/** @param {boolean} withDebug */
async function buildKernels(withDebug) {
  const inputs = [
    ...listFiles('assembly'),
    'src/memory/layout.ts',
    'src/memory/program-layout.ts',
    'src/memory/lookup-layout.ts',
    'src/memory/lsm-layout.ts',
    'src/memory/key-map-layout.ts',
    'src/memory/table-layout.ts',
    'asconfig.json',
    'scripts/build.mjs',
    'node_modules/assemblyscript/package.json',
  ];
  const hash = hashFiles(inputs);
  for (const target of withDebug ? [...RELEASE_TARGETS, ...DEBUG_TARGETS] : RELEASE_TARGETS)
    await buildTarget(target, hash);
  if (isFresh('kernels.generated', hash, GENERATED)) return;
  const base64 = RELEASE_TARGETS.map((target) =>
    readFileSync(join(root, wasmFile(target))).toString('base64'),
  );
  writeFile(
    GENERATED,
    [
      '/** The kernels in base64, made by scripts/build.mjs from assembly/; not to be edited. */',
      `export const KERNELS_PLAIN: string = '${base64[0]}';`,
      `export const KERNELS_SIMD: string = '${base64[1]}';`,
      '',
    ].join('\n'),
  );
  writeFile('build/kernels.generated.stamp', hash);
  console.log(`wrote ${GENERATED}`);
}

/** @returns {boolean} whether it succeeded */
function buildPackage() {
  const inputs = [
    ...listFiles('src'),
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/build.mjs',
    'node_modules/typescript/package.json',
  ];
  const hash = hashFiles(inputs);
  if (isFresh('dist', hash, 'dist/index.js')) return true;
  // From here until it succeeds, dist/ is of no known state.
  rmSync(join(root, 'build/dist.stamp'), { force: true });
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--listEmittedFiles'];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = stdout.split('\n');
  const emitted = new Set(
    lines.filter((line) => line.startsWith(EMITTED)).map((line) => resolve(root, line.slice(EMITTED.length))),
  );
  for (const line of lines) if (line !== '' && !line.startsWith(EMITTED)) console.log(line);
  if (status !== 0) return false;
  // What a file that is gone left behind must not be published.
  for (const file of listFiles('dist')) if (!emitted.has(join(root, file))) rmSync(join(root, file));
  if (existsSync(join(root, EXECUTABLE))) chmodSync(join(root, EXECUTABLE), 0o755);
  writeFile('build/dist.stamp', hash);
  console.log('built dist/');
  return true;
}

const kernelsOnly = process.argv.includes('--kernels');
try {
  await buildKernels(kernelsOnly);
  if (!kernelsOnly && !buildPackage()) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
