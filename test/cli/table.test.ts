import { expect, test } from 'vitest';
import { displayWidth, pad, renderFacts, renderTable, TableWriter } from '../../src/cli/table.ts';

test('columns are as wide as their widest cell, and numbers stand on the right', () => {
  const text = renderTable(
    [{ title: 'log' }, { title: 'records', align: 'right' }, { title: 'note' }],
    [
      ['orders', '12', ''],
      ['a', '1,234,567', 'big'],
    ],
  );
  expect(text).toBe(
    ['log       records  note', 'orders         12', 'a       1,234,567  big', ''].join('\n'),
  );
});

test('a table without rows is its titles', () => {
  expect(renderTable([{ title: 'a' }, { title: 'b' }], [])).toBe('a  b\n');
});

test('a row that is too short is filled with nothing', () => {
  expect(renderTable([{ title: 'a' }, { title: 'b' }], [['1']])).toBe('a  b\n1\n');
});

test.each([
  ['plain', 5],
  ['grün', 4],
  ['日本', 4],
  ['e\u0301', 1],
  ['👍', 2],
  ['\u001b[31mred\u001b[39m', 3],
  ['', 0],
])('%j takes %d cells', (text, width) => {
  expect(displayWidth(text)).toBe(width);
});

test('wide characters and colours do not break the alignment', () => {
  const text = renderTable(
    [{ title: 'k' }, { title: 'v' }],
    [
      ['日本', 'x'],
      ['\u001b[31mab\u001b[39m', 'y'],
    ],
  );
  expect(text).toBe('k     v\n日本  x\n\u001b[31mab\u001b[39m    y\n');
});

test('padding goes to the left of what is aligned to the right', () => {
  expect(pad('日', 4, 'right')).toBe('  日');
  expect(pad('abc', 2)).toBe('abc');
});

test('facts are lined up, and those that are unknown are left out', () => {
  expect(
    renderFacts([
      ['records', '12'],
      ['first time', undefined],
      ['size', '1 KiB'],
    ]),
  ).toBe('records  12\nsize     1 KiB\n');
});

test('a table that is printed in blocks has its titles once, and its columns only grow', () => {
  const table = new TableWriter([{ title: 'n', align: 'right' }, { title: 'v' }]);
  expect(table.block([['1', 'a']])).toBe('n  v\n1  a\n');
  expect(table.block([['100', 'b']])).toBe('100  b\n');
  expect(table.block([['2', 'c']])).toBe('  2  c\n');
});
