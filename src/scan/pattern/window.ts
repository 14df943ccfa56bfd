/**
 * Rewrites an expression for many lines at once: for text of ASCII without carriage returns, so that what it
 * finds, with the flag `m`, is what it would find in each of the lines by itself. Nothing in it can match a
 * line feed then.
 *
 * @module
 */

import type { AsciiSet, Node } from './syntax.ts';

const LINE_FEED = 10;
const RETURN = 13;

/** The source of the expression for many lines. */
export function windowSource(node: Node): string {
  switch (node.kind) {
    case 'character':
      return node.code === LINE_FEED ? '[]' : `\\u{${node.code.toString(16)}}`;
    case 'set':
      return setSource(node.ascii);
    case 'any':
      return '.';
    case 'sequence':
      return node.items.map(windowSource).join('');
    case 'either':
      return node.options.map(windowSource).join('|');
    case 'repeat':
      return windowSource(node.item) + node.source;
    case 'group':
    case 'look':
      return `${node.open}${windowSource(node.item)})`;
    case 'assertion':
      return node.source;
    case 'reference':
      // A digit behind it would make it another.
      return `(?:${node.source})`;
  }
}

function setSource(ascii: AsciiSet): string {
  let source = '';
  const has = (code: number): boolean => ascii[code] === 1 && code !== LINE_FEED && code !== RETURN;
  for (let first = 0; first < ascii.length; first++) {
    if (!has(first)) continue;
    let last = first;
    while (has(last + 1)) last++;
    source += first === last ? hex(first) : `${hex(first)}-${hex(last)}`;
    first = last;
  }
  return `[${source}]`;
}

function hex(code: number): string {
  return `\\x${code.toString(16).padStart(2, '0')}`;
}
