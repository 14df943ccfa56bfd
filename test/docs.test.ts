/** What the page of calls and options says is held against the source: nothing that users can name is left out. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = readFileSync(join(root, 'docs/API.md'), 'utf8');

/** The text below one heading of the page, to the next of its level. */
function section(heading: string): string {
  const [, after = ''] = page.split(`\n## ${heading}\n`);
  return after.split('\n## ')[0] as string;
}

/** Every name that stands in code, such as `append(record, { durability })`. */
function namesOf(text: string): Set<string> {
  const code = text.match(/`[^`]+`/g) ?? [];
  return new Set(code.flatMap((piece) => piece.match(/[A-Za-z_]\w*/g) ?? []));
}

function isHidden(node: ts.Node, source: ts.SourceFile): boolean {
  const comment = node.getFullText(source).slice(0, node.getLeadingTriviaWidth(source));
  return /@internal/.test(comment);
}

/** The public members of a class or an interface of one file. */
function membersOf(path: string, name: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.Latest);
  const found = source.statements.find(
    (node): node is ts.ClassDeclaration | ts.InterfaceDeclaration =>
      (ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) && node.name?.text === name,
  );
  if (found === undefined) throw new Error(`${path} has no ${name}`);
  const names = found.members
    .filter(
      (member) => member.name !== undefined && ts.isIdentifier(member.name) && !isHidden(member, source),
    )
    .map((member) => (member.name as ts.Identifier).text);
  return [...new Set(names)].sort();
}

describe('docs/API.md names', () => {
  test.each([
    ['Database', 'src/open-options.ts', 'OpenOptions'],
    ['Database', 'src/open-options.ts', 'WalOptions'],
    ['Database', 'src/runtime.ts', 'RuntimeOptions'],
    ['Database', 'src/open.ts', 'Database'],
    ['Log', 'src/log/options.ts', 'LogOptions'],
    ['Log', 'src/log/log.ts', 'Log'],
    ['Tree', 'src/lsm/tree-options.ts', 'TreeOptions'],
    ['Tree', 'src/lsm/tree.ts', 'Tree'],
    ['Keys that expire', 'src/kv/kv-options.ts', 'KvOptions'],
    ['Keys that expire', 'src/kv/store.ts', 'KvStore'],
    ['Log entries by time', 'src/events/retention.ts', 'EventsOptions'],
    ['Log entries by time', 'src/events/events.ts', 'Events'],
  ])('in “%s” all that %s has as %s', (heading, path, name) => {
    const named = namesOf(section(heading));
    expect(named.size).toBeGreaterThan(5);
    expect(membersOf(path, name).filter((member) => !named.has(member))).toEqual([]);
  });

  test('every code of an error', () => {
    const source = readFileSync(join(root, 'src/errors.ts'), 'utf8');
    const codes = /export type ErrorCode =([^;]+);/.exec(source)?.[1]?.match(/[A-Z_]{2,}/g) ?? [];
    expect(codes.length).toBeGreaterThan(10);
    expect(codes.filter((code) => !section('Errors').includes(`\`${code}\``))).toEqual([]);
  });
});
