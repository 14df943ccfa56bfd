/**
 * Which literals a regular expression needs: texts of which every match has at least one. Lines that have
 * none of them need not be tried. (After the analysis of "Regular Expression Matching with a Trigram Index",
 * Russ Cox, 2012, with whole literals in the place of trigrams.)
 *
 * @module
 */

import { commonness } from '../finder.ts';
import { contains, type Node } from './syntax.ts';

/** Texts that are followed at once, before the least of them is taken for what is needed. */
const EXACT_MAX = 16;
const SET_MAX = 64;
const LENGTH_MAX = 128;
/** What asks for more than that its characters are there. */
const LOOKING: readonly Node['kind'][] = ['look', 'assertion', 'reference'];
/** Of larger sets, a literal says too little. */
const SET_MEMBERS_MAX = 4;
const LINE_FEED = 10;
const REPLACEMENT = 0xfffd;
const ASCII = 128;

export interface Literals {
  /** Where case is ignored, in lower case. */
  texts: string[];
  /** Whether a line that has one of them is matched for that. */
  areEnough: boolean;
}

/** What is known of the texts that a part of the expression matches. */
interface Known {
  /** All of them, where they are few. */
  exact: string[] | undefined;
  /** Texts of which each of them has one. */
  needed: string[] | undefined;
}

const NOTHING: Known = { exact: undefined, needed: undefined };
const EMPTY: Known = { exact: [''], needed: undefined };

/**
 * Finds the literals of an expression.
 *
 * @param ignoreCase as the expression was parsed with
 * @returns undefined where it needs none, or none that is worth a search
 */
export function literalsOf(node: Node, ignoreCase: boolean): Literals | undefined {
  const { exact, needed } = new Analysis(ignoreCase).visit(node);
  if (exact !== undefined && !exact.includes('') && exact.length > 0) {
    return { texts: unique(exact), areEnough: !contains(node, LOOKING) };
  }
  return needed === undefined ? undefined : { texts: unique(needed), areEnough: false };
}

class Analysis {
  readonly #ignoreCase: boolean;

  constructor(ignoreCase: boolean) {
    this.#ignoreCase = ignoreCase;
  }

  visit(node: Node): Known {
    switch (node.kind) {
      case 'character':
        return this.#character(node.code);
      case 'set':
        return this.#set(node.ascii, node.hasOthers);
      case 'sequence':
        return this.#sequence(node.items);
      case 'either':
        return this.#either(node.options.map((option) => this.visit(option)));
      case 'repeat':
        return this.#repeat(this.visit(node.item), node.min, node.max);
      case 'group':
        return this.visit(node.item);
      case 'look':
      case 'assertion':
        return EMPTY;
      case 'any':
      case 'reference':
        return NOTHING;
    }
  }

  #character(code: number): Known {
    // No line has a line feed. Bytes that are no UTF-8 become this character, so that it does not stand for bytes of its own.
    if (code === LINE_FEED || code === REPLACEMENT || (code >= 0xd800 && code <= 0xdfff)) return NOTHING;
    if (this.#ignoreCase && code >= ASCII) return NOTHING;
    return { exact: [String.fromCodePoint(code)], needed: undefined };
  }

  #set(ascii: Uint8Array, hasOthers: boolean): Known {
    if (hasOthers || ascii[LINE_FEED] === 1) return NOTHING;
    const members: string[] = [];
    for (const [code, isIn] of ascii.entries()) if (isIn === 1) members.push(String.fromCharCode(code));
    const exact = unique(this.#ignoreCase ? members.map((member) => member.toLowerCase()) : members);
    return exact.length > SET_MEMBERS_MAX ? NOTHING : { exact, needed: undefined };
  }

  #sequence(items: readonly Node[]): Known {
    let run: string[] = [''];
    let best: string[] | undefined;
    let isExact = true;
    const end = (): void => {
      best = better(best, run);
      run = [''];
      isExact = false;
    };
    for (const item of items) {
      const known = this.visit(item);
      if (known.exact !== undefined) {
        const longer = product(run, known.exact);
        if (longer === undefined) end();
        run = longer ?? known.exact;
        continue;
      }
      // What is repeated comes at least once: it goes on with what is before it.
      const once = item.kind === 'repeat' && item.min > 0 ? this.visit(item.item).exact : undefined;
      if (once !== undefined) run = product(run, once) ?? run;
      end();
      best = better(best, known.needed);
    }
    return isExact ? { exact: run, needed: undefined } : { exact: undefined, needed: better(best, run) };
  }

  #either(options: readonly Known[]): Known {
    const exact: string[] = [];
    const needed: string[] = [];
    let areExact = true;
    for (const option of options) {
      if (option.exact === undefined) areExact = false;
      else exact.push(...option.exact);
      const texts = option.exact ?? option.needed;
      if (texts === undefined || texts.includes('')) needed.push('');
      else needed.push(...texts);
    }
    if (areExact && unique(exact).length <= SET_MAX) return { exact: unique(exact), needed: undefined };
    const isUseful = !needed.includes('') && unique(needed).length <= SET_MAX;
    return { exact: undefined, needed: isUseful ? unique(needed) : undefined };
  }

  #repeat(item: Known, min: number, max: number): Known {
    if (max === 0) return EMPTY;
    if (item.exact !== undefined && max === 1) {
      return { exact: min === 1 ? item.exact : unique(['', ...item.exact]), needed: undefined };
    }
    if (min === 0) return NOTHING;
    let exact = item.exact;
    for (let i = 1; i < Math.min(min, LENGTH_MAX) && exact !== undefined; i++) {
      exact = item.exact === undefined ? undefined : product(exact, item.exact);
    }
    if (min === max && min <= LENGTH_MAX && exact !== undefined) return { exact, needed: undefined };
    const needed = exact ?? item.exact ?? item.needed;
    return { exact: undefined, needed: needed?.includes('') === true ? undefined : needed };
  }
}

/** Each of `heads` followed by each of `tails`; undefined where that is too much. */
function product(heads: readonly string[], tails: readonly string[]): string[] | undefined {
  if (heads.length * tails.length > EXACT_MAX) {
    return heads.length === 1 && heads[0] === '' && tails.length <= SET_MAX ? [...tails] : undefined;
  }
  const longer = heads.flatMap((head) => tails.map((tail) => head + tail));
  return longer.some((text) => text.length > LENGTH_MAX) ? undefined : longer;
}

function better(best: string[] | undefined, texts: string[] | undefined): string[] | undefined {
  if (texts === undefined || texts.length === 0 || texts.includes('')) return best;
  return best === undefined || worth(texts) > worth(best) ? texts : best;
}

/** How much it says that one of these was found: that of the one that says least. */
function worth(texts: readonly string[]): number {
  const least = Math.min(
    ...texts.map((text) => {
      const bytes = Buffer.from(text);
      return bytes.reduce((sum, byte) => sum + 1 + 5 * (1 - commonness(byte, false) / 100), 0);
    }),
  );
  return least - Math.log2(texts.length);
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
