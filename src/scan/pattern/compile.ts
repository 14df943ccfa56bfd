/**
 * What is searched for, made ready: literals for the kernels, an expression for one line, and one for many
 * lines at once.
 *
 * @module
 */

import { fitsFinder } from '../finder.ts';
import { literalsOf } from './literals.ts';
import { contains, parsePattern } from './syntax.ts';
import { windowSource } from './window.ts';

/** What is searched for; plain values. */
export interface PatternSpec {
  /** A line is matched if one of them is found in it. */
  patterns: readonly string[];
  /** Whether they are texts, and not regular expressions. */
  fixed: boolean;
  ignoreCase: boolean;
  /** Whether a match must be whole words, or a whole line. */
  whole: 'part' | 'word' | 'line';
}

export interface CompiledPattern {
  /** Texts of which every line that is matched has one; undefined where there are none to search for. */
  literals: Uint8Array[] | undefined;
  /** Whether letters of ASCII in them are found in either case. */
  fold: boolean;
  /** Whether a line that has one of them is matched for that. */
  areEnough: boolean;
  /** Whether the literals are needed only in lines of ASCII: `s` and `k` have other forms elsewhere. */
  asciiOnly: boolean;
  /** Finds a match in one line, without its line end. It has the flag `g`. */
  line: RegExp;
  /** The same, in many lines of ASCII without carriage returns; undefined where there is none. */
  window: RegExp | undefined;
}

/**
 * Makes a pattern ready.
 *
 * @throws RangeError where an expression is none
 */
export function compilePattern(spec: PatternSpec): CompiledPattern {
  const { fixed, ignoreCase, whole } = spec;
  const fold = ignoreCase ? 'i' : '';
  const sources = fixed ? fixedSources(spec.patterns) : spec.patterns.map((source) => checked(source, fold));
  const source = wholeSource(sources.length === 1 ? (sources[0] as string) : either(sources), whole);
  const line = expression(source, `gsu${fold}`);
  const tree = parsePattern(source, ignoreCase);
  if (tree !== undefined && sources.length > 1 && contains(tree, ['reference'])) {
    throw new RangeError('an expression that refers to its groups cannot be one of several');
  }
  const found = tree === undefined ? undefined : literalsOf(tree, ignoreCase);
  const bytes = found?.texts.map((text) => Buffer.from(text));
  const literals = bytes !== undefined && fitsFinder(bytes) ? bytes : undefined;
  return {
    literals,
    fold: ignoreCase,
    areEnough: literals !== undefined && found?.areEnough === true,
    asciiOnly: ignoreCase && found?.texts.some((text) => /[sk]/.test(text)) === true,
    line,
    window: tree === undefined ? undefined : new RegExp(windowSource(tree), `gmu${fold}`),
  };
}

/** The longest comes first, so that it is what a match is where several begin at one place. */
function fixedSources(texts: readonly string[]): string[] {
  const sorted = [...new Set(texts)].sort((a, b) => b.length - a.length);
  return sorted.map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
}

function checked(source: string, fold: string): string {
  expression(source, `u${fold}`);
  return source;
}

function either(sources: readonly string[]): string {
  return sources.map((source) => `(?:${source})`).join('|');
}

function wholeSource(source: string, whole: PatternSpec['whole']): string {
  if (whole === 'line') return `^(?:${source})$`;
  return whole === 'word' ? `(?<!\\w)(?:${source})(?!\\w)` : source;
}

function expression(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const reason = message.slice(message.lastIndexOf(': ') + 2);
    const hint = hintFor(source);
    throw new RangeError(`"${source}" is no regular expression of JavaScript: ${reason}${hint}`, {
      cause: error,
    });
  }
}

/** What those who know other expressions are likely to have meant. */
function hintFor(source: string): string {
  if (/\[\[:\w+:\]/.test(source)) return '; classes such as [[:digit:]] are written \\d, \\w, \\s here';
  if (/\\[<>]/.test(source)) return '; the end of a word is \\b here';
  return /[{}\]]/.test(source) ? '; braces and brackets that stand for themselves need a backslash' : '';
}
