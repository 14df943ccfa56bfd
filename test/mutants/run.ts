/**
 * `npm run test:mutants`: breaks a copy of the engine, in one way after another, and sees that the campaign
 * which must notice does. Where it does not, that campaign proves nothing, and the run fails. First each
 * campaign has to find nothing in the engine as it is.
 *
 *     npm run test:mutants                 all of them
 *     npm run test:mutants -- fdatasync    those whose name has this in it
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../kit/sources.ts';
import type { Change, HuntName, Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';

/** What a run needs of the repository. */
const COPIED = [
  'src',
  'assembly',
  'scripts',
  'test',
  'package.json',
  'tsconfig.json',
  'asconfig.json',
  'build',
];
const PATIENCE_MS = 180_000;
const FOUND = 3;

/** The source with one change. */
function change(source: string, { file, from, to }: Change): string {
  const [before, after, more] = source.split(from);
  if (before === undefined || after === undefined || more !== undefined) {
    throw new Error(`${file} has changed: what a mutant replaces is not there exactly once: ${from}`);
  }
  return before + to + after;
}

/** Runs a campaign on a copy of the engine with changes. Returns what it found. */
function hunt(name: HuntName, changes: readonly Change[]): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'varve-mutant-'));
  try {
    for (const path of COPIED) cpSync(join(ROOT, path), join(directory, path), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'), 'junction');
    for (const one of changes) {
      const path = join(directory, one.file);
      writeFileSync(path, change(readFileSync(path, 'utf8'), one));
    }
    if (changes.some(({ file }) => file.startsWith('assembly/'))) {
      const { status, output } = run(directory, ['scripts/build.mjs', '--kernels']);
      if (status !== 0) throw new Error(`the kernels cannot be built: ${output}`);
    }
    if (name.startsWith('test/')) return test(directory, name);
    const { status, output } = run(directory, ['--import', 'tsx', 'test/mutants/hunt-program.ts', name]);
    if (status === 0) return undefined;
    // A mutant that does not even run would be noticed by anything, which proves nothing.
    const isBroken = status !== FOUND || /^(?:[^\n]*\n)?(?:Syntax|Reference|Type)Error\b/.test(output);
    if (isBroken)
      throw new Error(`the campaign ${name} did not run (${status ?? 'no end in time'}): ${output}`);
    return output;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs a file of tests. Returns what it found. */
function test(directory: string, name: string): string | undefined {
  const { status, output } = run(directory, [
    'node_modules/vitest/vitest.mjs',
    'run',
    name,
    '--reporter=dot',
  ]);
  if (status === 0) return undefined;
  const failure = output.split('\n').find((line) => line.includes('Error: '));
  // A mutant that cannot be built would be noticed by anything, which proves nothing.
  if (failure === undefined || !output.includes(' FAIL ')) throw new Error(`${name} did not run: ${output}`);
  return failure.trim();
}

function run(directory: string, args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: directory,
    encoding: 'utf8',
    timeout: PATIENCE_MS,
  });
  return { status, output: `${stdout}${stderr}`.trim() };
}

function report(line: string, startMs: number): void {
  process.stdout.write(`${line} (${((performance.now() - startMs) / 1000).toFixed(1)} s)\n`);
}

/** The campaigns that cry wolf: they find something in the engine as it is. */
function findUnsound(names: readonly HuntName[]): HuntName[] {
  return names.filter((name) => {
    const startMs = performance.now();
    const found = hunt(name, []);
    report(found === undefined ? `sound     ${name} finds nothing` : `UNSOUND   ${name}: ${found}`, startMs);
    return found !== undefined;
  });
}

function isCaught({ name, caughtBy, changes }: Mutant): boolean {
  const startMs = performance.now();
  let found: string | undefined;
  try {
    found = hunt(caughtBy, changes);
  } catch (error) {
    report(`BROKEN    ${name}: ${error instanceof Error ? error.message : String(error)}`, startMs);
    return false;
  }
  if (found === undefined) {
    report(`SURVIVED  ${name}, and ${caughtBy} has nothing to say`, startMs);
    return false;
  }
  report(`caught    ${name}, by ${caughtBy}`, startMs);
  process.stdout.write(`          ${found.split('\n').slice(0, 2).join(' ').slice(0, 200)}\n`);
  return true;
}

const [asked = ''] = process.argv.slice(2);
const mutants = MUTANTS.filter(({ name }) => name.includes(asked));
const unsound = findUnsound([...new Set(mutants.map(({ caughtBy }) => caughtBy))]);
const survivors = unsound.length > 0 ? mutants : mutants.filter((mutant) => !isCaught(mutant));
process.stdout.write(`${mutants.length - survivors.length} of ${mutants.length} mutants caught\n`);
process.exitCode = survivors.length === 0 && mutants.length > 0 ? 0 : 1;
