/**
 * The repository's own files, as the style tests see them: a list of paths, their text, and for TypeScript
 * a walk over the syntax tree, so that a word in a comment or a string is not taken for code.
 *
 * @module
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const ROOT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What is made by a command, or belongs to other tools. */
const NOT_SOURCES = new Set(['node_modules', 'dist', 'build', 'coverage', '.git', 'package-lock.json']);

export interface Source {
  /** Relative to the root, with `/` between the names on every system. */
  path: string;
  text: string;
}

/**
 * Reads all files whose path matches.
 *
 * @param pattern tested against the path from the root
 */
export function sources(pattern: RegExp): Source[] {
  return paths('')
    .filter((path) => pattern.test(path))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

let allPaths: string[] | undefined;

function paths(directory: string): string[] {
  if (directory === '' && allPaths !== undefined) return allPaths;
  const found: string[] = [];
  for (const entry of readdirSync(join(ROOT, directory), { withFileTypes: true })) {
    if (NOT_SOURCES.has(entry.name) || entry.name.endsWith('.generated.ts')) continue;
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
    if (entry.isDirectory()) found.push(...paths(path));
    else if (entry.isFile()) found.push(path);
  }
  found.sort();
  if (directory === '') allPaths = found;
  return found;
}

/** One node of a syntax tree and where it stands. */
export interface Place {
  node: ts.Node;
  /** `path:line`, which terminals and editors make a link of. */
  at: string;
}

const trees = new WeakMap<Source, Place[]>();

/** Every node of a file, depth first. */
export function nodes(source: Source): readonly Place[] {
  let places = trees.get(source);
  if (places !== undefined) return places;
  places = [];
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ES2023, true);
  const stack: ts.Node[] = [file];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
    places.push({ node, at: `${source.path}:${line + 1}` });
    const children: ts.Node[] = [];
    ts.forEachChild(node, (child) => void children.push(child));
    stack.push(...children.reverse());
  }
  trees.set(source, places);
  return places;
}

/** What a file imports, in whatever form: `import`, `export from`, `import()`, types, worker URLs. */
export function imports(source: Source): { specifier: string; at: string }[] {
  const found: { specifier: string; at: string }[] = [];
  for (const { node, at } of nodes(source)) {
    const specifier = specifierOf(node);
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) {
      found.push({ specifier: specifier.text, at });
    }
  }
  return found;
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return node.arguments[0];
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'URL') {
    return node.arguments?.[1]?.getText() === 'import.meta.url' ? node.arguments[0] : undefined;
  }
  return undefined;
}

/** The anchors that a Markdown page offers, formed from its headings as GitHub forms them. */
export function anchors(markdown: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading = ''] of withoutCode(markdown).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const anchor = plain
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; found.has(unique); count++) unique = `${anchor}-${count}`;
    found.add(unique);
  }
  return found;
}

/** The targets of all links and images of a Markdown page, without those inside code. */
export function links(markdown: string): string[] {
  const text = withoutCode(markdown).replaceAll(/`[^`\n]*`/g, '');
  const inline = [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)];
  const references = [...text.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm)];
  return [...inline, ...references].map(([, target = '']) => target);
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^(```+|~~~+).*?^\1\s*$/gms, '');
}
