/**
 * Style is a test. What a reviewer would otherwise have to remember is checked here, each rule by a test
 * whose failure names the file, the line, and what to do instead.
 */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { anchors, imports, links, nodes, ROOT, type Source, sources } from './kit/sources.ts';

const src = sources(/^src\/.*\.ts$/);
const assembly = sources(/^assembly\/.*\.ts$/);
const tests = sources(/^(?:test|bench)\/.*\.ts$/);
const scripts = sources(/^(?:scripts\/.*|\.ci\/.*|[^/]*)\.(?:mjs|ts)$/);
const markdown = sources(/\.md$/);
const typescript = [...src, ...tests];
const code = [...src, ...assembly, ...tests, ...scripts];

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
}

/** Fails with all problems at once, each on its own line; an empty selection would prove nothing. */
function expectNone(checked: readonly unknown[], problems: string[]): void {
  expect(checked.length, 'there is something to check').toBeGreaterThan(0);
  expect(problems.join('\n')).toBe('');
}

/** The lines that match, as `path:line`, with advice. */
function matching(files: readonly Source[], pattern: RegExp, advice: string): string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()} (${advice})`] : [],
      ),
  );
}

/** The nodes that `judge` has something to say about, outside the places where they belong. */
function findings(
  files: readonly Source[],
  allowed: readonly string[],
  judge: (node: ts.Node) => string | undefined,
): string[] {
  const found: string[] = [];
  for (const source of files) {
    if (allowed.some((place) => source.path.startsWith(place))) continue;
    for (const { node, at } of nodes(source)) {
      const complaint = judge(node);
      if (complaint !== undefined) found.push(`${at}: ${complaint}`);
    }
  }
  return found;
}

describe('imports', () => {
  const { layerOf, mayImport, onlyIn } = readJson('layers.json') as {
    layerOf: Record<string, string>;
    mayImport: Record<string, string[]>;
    onlyIn: Record<string, string[]>;
  };

  function layer(path: string): string | undefined {
    const named = layerOf[path] ?? /^src\/([^/]+)\//.exec(path)?.[1];
    return named !== undefined && Object.hasOwn(mayImport, named) ? named : undefined;
  }

  test('every file of src belongs to a layer', () => {
    const strays = src.filter(({ path }) => layer(path) === undefined);
    expectNone(
      src,
      strays.map(({ path }) => `${path}: say in layers.json which layer it is and what that may import`),
    );
  });

  test('imports point down the layers', () => {
    const problems: string[] = [];
    for (const source of src) {
      const from = layer(source.path) ?? '';
      for (const { specifier, at } of imports(source)) {
        if (!specifier.startsWith('.')) continue;
        const target = posix.join(posix.dirname(source.path), specifier);
        const to = layer(target);
        if (to === from || (to !== undefined && mayImport[from]?.includes(to))) continue;
        problems.push(`${at}: ${from} may not import ${target} (layers.json)`);
      }
    }
    expectNone(src, problems);
  });

  test('relative imports name a file, with its extension', () => {
    const problems: string[] = [];
    for (const source of typescript) {
      for (const { specifier, at } of imports(source)) {
        if (!/^\..*\.\w+$/.test(specifier)) continue;
        const target = join(ROOT, dirname(source.path), specifier);
        const isBuilt = specifier.endsWith('.generated.ts') || specifier.includes('/dist/');
        // A worker is started from what tsc makes of its file.
        const isThere = existsSync(target) || existsSync(target.replace(/\.js$/, '.ts'));
        if (!isBuilt && !isThere) problems.push(`${at}: there is no ${specifier}`);
      }
    }
    expectNone(typescript, problems);
  });

  test('the kernels import each other and the memory layouts, nothing else', () => {
    const problems: string[] = [];
    for (const source of assembly) {
      for (const { specifier, at } of imports(source)) {
        const target = posix.join(posix.dirname(source.path), specifier).replace(/(?:\.ts)?$/, '.ts');
        if (/^(?:assembly\/|src\/memory\/(?:(?:program|lsm|table|lookup|key-map)-)?layout\.ts$)/.test(target))
          continue;
        problems.push(`${at}: a kernel may not import ${specifier}`);
      }
    }
    expectNone(assembly, problems);
  });

  test('what reaches the outside is imported only where layers.json says', () => {
    const problems: string[] = [];
    for (const source of src) {
      for (const { specifier, at } of imports(source)) {
        if (specifier.startsWith('.')) continue;
        const places = onlyIn[specifier];
        if (places === undefined) {
          if (!specifier.startsWith('node:')) {
            problems.push(`${at}: the package ${specifier} is not in layers.json (a built-in needs node:)`);
          }
        } else if (!places.some((place) => source.path.startsWith(place))) {
          problems.push(`${at}: ${specifier} is only for ${places.join(', ') || 'nothing in src'}`);
        }
      }
    }
    expectNone(src, problems);
  });
});

describe('only here', () => {
  /** The dotted name of an expression such as `performance.now`, or of a bare identifier that is used. */
  function usedName(node: ts.Node): string | undefined {
    if (ts.isPropertyAccessExpression(node)) return node.getText();
    if (!ts.isIdentifier(node)) return undefined;
    const { parent } = node;
    if (ts.isPropertyAccessExpression(parent) && parent.name === node) return undefined;
    if (ts.isPropertyAssignment(parent) && parent.name === node) return undefined;
    if (ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent)) return undefined;
    return node.text;
  }

  test('only src/clock.ts asks what time it is, and sets timers', () => {
    const banned =
      /^(?:globalThis\.)?(?:Date\.now|performance\.(?:now|timeOrigin)|process\.(?:hrtime(?:\.bigint)?|nextTick|uptime)|set(?:Timeout|Interval|Immediate))$/;
    // The command line keeps its process alive with a timer that never fires.
    const problems = findings(src, ['src/clock.ts', 'src/cli/context.ts'], (node) => {
      const name = usedName(node);
      if (name !== undefined && banned.test(name))
        return `${name} (take a Clock, so that a test can drive it)`;
      const isNow =
        ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length;
      return isNow ? 'new Date() without a time (take a Clock)' : undefined;
    });
    expectNone(src, problems);
  });

  test('only the lock of the directory draws random numbers', () => {
    const banned =
      /^(?:Math\.random|(?:globalThis\.)?crypto\.(?:getRandomValues|randomUUID))$|^random(?:Bytes|Int|UUID|FillSync|Fill)$/;
    // Processes that meet there must differ, even those that replay the same seed.
    const problems = findings(src, ['src/vfs/lock.ts', 'src/vfs/claim.ts'], (node) => {
      const name = usedName(node);
      return name !== undefined && banned.test(name)
        ? `${name} (inject it, so that a seed replays a run)`
        : undefined;
    });
    expectNone(src, problems);
  });

  test('only src/pool starts threads', () => {
    const problems = findings(src, ['src/pool/'], (node) =>
      ts.isNewExpression(node) && /^(?:Worker|Piscina|FixedQueue)$/.test(node.expression.getText())
        ? `new ${node.expression.getText()} (add a task to src/pool)`
        : undefined,
    );
    expectNone(src, problems);
  });

  test('only src/memory touches WebAssembly', () => {
    const problems = findings(src, ['src/memory/'], (node) =>
      ts.isIdentifier(node) && node.text === 'WebAssembly'
        ? 'WebAssembly (use Memory and Kernels)'
        : undefined,
    );
    expectNone(src, problems);
  });

  test('only src/cli reads the command line, prints, and ends the process', () => {
    const banned =
      /^(?:console\.\w+|process\.(?:exit|exitCode|argv|stdout|stderr|stdin)|process\.std\w+\.write)$/;
    const problems = findings(src, ['src/cli/'], (node) => {
      const name = usedName(node);
      return name !== undefined && banned.test(name) ? `${name} (a library must not)` : undefined;
    });
    expectNone(src, problems);
  });
});

describe('source files', () => {
  test('a file can be read in one sitting', () => {
    const problems = code.flatMap(({ path, text }) => {
      const lines = text.trimEnd().split('\n').length;
      // Tests are read one at a time, so a file of them may be longer.
      return lines > (tests.some((file) => file.path === path) ? 600 : 450)
        ? [`${path}: ${lines} lines (split it by life-cycle verb)`]
        : [];
    });
    expectNone(code, problems);
  });

  test('a function fits on a screen', () => {
    function linesOf(node: ts.Node): number {
      return node.getText().split('\n').length;
    }
    /** Lines of the functions directly inside; a closure that holds methods is judged by each of them. */
    function linesInside(node: ts.Node): number {
      let lines = 0;
      ts.forEachChild(node, (child) => {
        lines += ts.isFunctionLike(child) ? linesOf(child) : linesInside(child);
      });
      return lines;
    }
    // Not the kernels: their loops are unrolled by hand, because there a call costs more than its work.
    const files = [...src, ...scripts];
    const problems = findings(files, [], (node) => {
      if (!ts.isFunctionLike(node)) return undefined;
      const lines = linesOf(node) - linesInside(node);
      return lines > 70 ? `a function of ${lines} lines (70 at most; split it)` : undefined;
    });
    expectNone(files, problems);
  });

  test('a file of src or assembly starts with a comment that says what it is', () => {
    const problems = [...src, ...assembly].flatMap(({ path, text }) => {
      const body = text.replace(/^#!.*\n/, '');
      return body.startsWith('/**') || body.split('\n').length <= 15
        ? []
        : [`${path}: starts without /** … */`];
    });
    expectNone(src, problems);
  });

  test('nothing is left for later', () => {
    // Put together, so that this file does not find itself.
    const words = ['TO_DO', 'FIX_ME', 'XX_X', 'HA_CK'].map((word) => word.replace('_', ''));
    const pattern = new RegExp(`\\b(?:${words.join('|')})\\b`);
    const files = [...code, ...markdown];
    expectNone(files, matching(files, pattern, 'do it, or open an issue'));
  });

  test('no type is any, and no error of the compiler is silenced', () => {
    const problems = findings(typescript, [], (node) =>
      node.kind === ts.SyntaxKind.AnyKeyword ? 'any (use unknown, and narrow it)' : undefined,
    );
    const silenced = new RegExp(`@ts-(?:${['ignore', 'nocheck'].join('|')})`);
    problems.push(...matching(typescript, silenced, 'mend the type; a test may expect an error'));
    problems.push(...matching(src, /@ts-expect-error/, 'mend the type'));
    expectNone(typescript, problems);
  });

  test('modules are ES modules', () => {
    const problems = findings(src, [], (node) => {
      if (!ts.isIdentifier(node) || ts.isPropertyAccessExpression(node.parent)) {
        return ts.isPropertyAccessExpression(node) && node.getText() === 'module.exports'
          ? 'module.exports'
          : undefined;
      }
      return /^(?:require|__dirname|__filename)$/.test(node.text) ? node.text : undefined;
    });
    expectNone(src, problems);
  });
});

describe('tests', () => {
  const files = tests.filter(({ path }) => path.startsWith('test/'));

  test('none runs alone, and none is left out without a condition', () => {
    const problems = findings(files, [], (node) => {
      if (!ts.isPropertyAccessExpression(node)) return undefined;
      const isTest = /^(?:test|it|describe|suite)(?:\.\w+)*$/.test(node.getText());
      return isTest && /^(?:only|skip|todo|fails)$/.test(node.name.text)
        ? `${node.getText()} (skipIf says when and why)`
        : undefined;
    });
    expectNone(files, problems);
  });

  test('a child process is this Node, not the one on the path', () => {
    const problems = findings(files, [], (node) => {
      if (!ts.isCallExpression(node)) return undefined;
      const [program] = node.arguments;
      const isStart = /^(?:\w+\.)?(?:spawn|spawnSync|execFile|execFileSync|exec|execSync)$/.test(
        node.expression.getText(),
      );
      const isNode = program !== undefined && ts.isStringLiteralLike(program) && /^node\b/.test(program.text);
      return isStart && isNode
        ? "'node' (process.execPath: the suite runs under several versions)"
        : undefined;
    });
    expectNone(files, problems);
  });
});

describe('documents', () => {
  test('links lead somewhere', () => {
    const problems: string[] = [];
    for (const { path, text } of markdown) {
      for (const link of links(text)) {
        if (/^[a-z]+:/.test(link)) continue;
        const [file = '', anchor] = link.split('#');
        const target = file === '' ? path : posix.join(posix.dirname(path), decodeURI(file));
        if (!existsSync(join(ROOT, target))) problems.push(`${path}: there is no ${link}`);
        else if (anchor !== undefined && target.endsWith('.md')) {
          const page = readFileSync(join(ROOT, target), 'utf8');
          if (!anchors(page).has(anchor)) problems.push(`${path}: ${target} has no heading for #${anchor}`);
        }
      }
    }
    expectNone(markdown, problems);
  });

  test('the change log has an entry for this version', () => {
    const { version } = readJson('package.json') as { version: string };
    const log = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
    const headings = [...log.matchAll(/^##\s+\[?v?([^\]\s]+)/gm)].map((match) => match[1]);
    expect(headings).toContain(version);
  });

  test('nothing names a path of one machine', () => {
    const roots = ['work', 'root', 'home', 'Users'].join('|');
    const pattern = new RegExp(`(?<![\\w.}*)/-])/(?:${roots})/`);
    const files = sources(/(?:\.(?:ts|mjs|json|jsonc|md|yml|sh)|^\.ci\/.*)$/);
    expectNone(files, matching(files, pattern, 'a path that exists only somewhere'));
  });
});

describe('package.json', () => {
  const manifest = readJson('package.json') as {
    type: string;
    files: string[];
    bin: Record<string, string>;
    exports: Record<string, string | Record<string, string>>;
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
    scripts: Record<string, string>;
  };
  const manifests = sources(/(?:^|\/)package\.json$/);

  test('versions are exact', () => {
    const problems = manifests.flatMap(({ path, text }) => {
      const { dependencies, devDependencies, optionalDependencies } = JSON.parse(text) as {
        [group: string]: Record<string, string> | undefined;
      };
      return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
        .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
        .map(([name, version]) => `${path}: ${name} ${version} (write the exact version)`);
    });
    expectNone(manifests, problems);
  });

  test('at most four packages are installed with ours, and none runs a script', () => {
    const { packages } = readJson('package-lock.json') as {
      packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
    };
    expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(4);
    const withScripts = Object.entries(packages).filter(([, entry]) => entry.hasInstallScript && !entry.dev);
    expect(withScripts).toEqual([]);
  });

  test('the lock file knows every optional package, or npm ci would refuse it', () => {
    const { packages } = readJson('package-lock.json') as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    // npm leaves out those that its registry does not have, which happens with packages for other systems.
    const problems = Object.entries(packages).flatMap(([path, { optionalDependencies }]) =>
      Object.keys(optionalDependencies ?? {})
        .filter((name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`])
        .map((name) => `package-lock.json: ${path} has no ${name} (restore its entry)`),
    );
    expectNone(Object.keys(packages), problems);
  });

  test('only ES modules are offered, and what is offered exists once built', () => {
    expect(manifest.type).toBe('module');
    const targets = Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target),
    );
    const problems = [...targets, ...Object.values(manifest.bin)].filter(
      (target) => !existsSync(join(ROOT, target)),
    );
    expectNone(
      targets,
      problems.map((target) => `${target} is missing (npm run build)`),
    );
    expect(JSON.stringify(manifest.exports)).not.toMatch(/require|\.cjs/);
  });

  test('the command starts with a line that names node', () => {
    const problems = Object.values(manifest.bin).filter(
      (path) => !readFileSync(join(ROOT, path), 'utf8').startsWith('#!/usr/bin/env node\n'),
    );
    expectNone(Object.values(manifest.bin), problems);
  });

  test('the package holds the build and its papers, not the sources', () => {
    expect(manifest.files).toEqual(['dist', 'CHANGELOG.md']);
    const stray = sources(/^(?:README\.md|LICENSE|CHANGELOG\.md)$/).map(({ path }) => path);
    expect(stray).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md']);
  });

  test('every script that is named exists', () => {
    const named = Object.values(manifest.scripts).flatMap(
      (line) => line.match(/(?<=^|\s)(?:scripts|bench|test)\/[\w./-]+\.(?:mjs|ts)(?=\s|$)/g) ?? [],
    );
    expectNone(
      named,
      named.filter((path) => !existsSync(join(ROOT, path))).map((path) => `${path} is missing`),
    );
  });
});
