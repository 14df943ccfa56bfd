/**
 * Makes a program of ours runnable by a plain Node: the file and what it imports, stripped of their types,
 * in a directory under `build` that is made anew for each test file. Nothing has to be built before.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { ROOT } from './sources.ts';

/** A compiled program; `dispose` removes it. */
export interface Program {
  path: string;
  dispose(): void;
}

/**
 * Compiles one program with everything it imports from this repository.
 *
 * @param entry its path from the root
 * @param others what it loads by a path that is made as it runs, such as what threads run
 */
export function compileProgram(entry: string, others: readonly string[] = []): Program {
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  // Inside the repository, so that packages are found.
  const directory = mkdtempSync(join(ROOT, 'build', 'program-'));
  const done = new Set<string>();
  const outputOf = (path: string): string => join(directory, relative(ROOT, path)).replace(/\.ts$/, '.js');

  function compile(path: string): void {
    if (done.has(path)) return;
    done.add(path);
    const source = readFileSync(path, 'utf8');
    const { outputText } = ts.transpileModule(source, {
      fileName: path,
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    mkdirSync(dirname(outputOf(path)), { recursive: true });
    writeFileSync(outputOf(path), outputText);
    for (const { fileName } of ts.preProcessFile(outputText).importedFiles) {
      if (fileName.startsWith('.')) compile(resolve(dirname(path), fileName).replace(/\.js$/, '.ts'));
    }
  }

  for (const path of [entry, ...others]) compile(join(ROOT, path));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  return {
    path: outputOf(join(ROOT, entry)),
    dispose: () => rmSync(directory, { recursive: true, force: true }),
  };
}
