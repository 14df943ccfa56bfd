/**
 * The syntax tree of a regular expression in the syntax of JavaScript with the flag `u` (ECMA-262, Patterns):
 * enough of it to tell which literals every match must have, and what could match a line feed. An expression
 * that this does not understand is one about which nothing is known, and is merely tried on each line.
 *
 * @module
 */

/** The characters below 128, one byte each: 1 where the set has it. */
export type AsciiSet = Uint8Array;

export type Node =
  | { kind: 'character'; code: number }
  /** `hasOthers`: it may have members beyond ASCII. */
  | { kind: 'set'; ascii: AsciiSet; hasOthers: boolean }
  /** Any character, but for the ends of lines. */
  | { kind: 'any' }
  | { kind: 'sequence'; items: Node[] }
  | { kind: 'either'; options: Node[] }
  | { kind: 'repeat'; item: Node; min: number; max: number; source: string }
  /** A group with what opens it, `(?<name>` for one. */
  | { kind: 'group'; item: Node; open: string }
  | { kind: 'look'; item: Node; open: string }
  /** `^`, `$`, `\b`, `\B`. */
  | { kind: 'assertion'; source: string }
  | { kind: 'reference'; source: string };

const ASCII = 128;
const LONG_S = 0x17f;
const KELVIN = 0x212a;

/**
 * Parses an expression that a `RegExp` with the flag `u` has accepted.
 *
 * @param ignoreCase whether the expression has the flag `i`: sets have letters in both cases then
 * @returns undefined where it has something that is not understood
 */
export function parsePattern(source: string, ignoreCase: boolean): Node | undefined {
  const parser = new Parser(source, ignoreCase);
  try {
    return parser.parse();
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

/** Whether a part of the expression is of one of some kinds. */
export function contains(node: Node, kinds: readonly Node['kind'][]): boolean {
  if (kinds.includes(node.kind)) return true;
  if (node.kind === 'sequence') return node.items.some((item) => contains(item, kinds));
  if (node.kind === 'either') return node.options.some((option) => contains(option, kinds));
  return 'item' in node && contains(node.item, kinds);
}

class NotUnderstood extends Error {}

class Parser {
  readonly #characters: readonly string[];
  readonly #ignoreCase: boolean;
  #at = 0;

  constructor(source: string, ignoreCase: boolean) {
    this.#characters = Array.from(source);
    this.#ignoreCase = ignoreCase;
  }

  parse(): Node {
    const node = this.#either();
    if (this.#at < this.#characters.length) throw new NotUnderstood();
    return node;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #next(): string {
    const character = this.#characters[this.#at++];
    if (character === undefined) throw new NotUnderstood();
    return character;
  }

  /** Takes `text` where it comes next. */
  #take(text: string): boolean {
    if (
      !this.#characters
        .slice(this.#at, this.#at + text.length)
        .join('')
        .startsWith(text)
    )
      return false;
    this.#at += text.length;
    return true;
  }

  /** What lies before `end`, which is taken too. */
  #until(end: string): string {
    const close = this.#characters.indexOf(end, this.#at);
    if (close < 0) throw new NotUnderstood();
    const text = this.#characters.slice(this.#at, close).join('');
    this.#at = close + 1;
    return text;
  }

  #either(): Node {
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    return options.length === 1 ? (options[0] as Node) : { kind: 'either', options };
  }

  #sequence(): Node {
    const items: Node[] = [];
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')'; next = this.#peek()) {
      items.push(this.#repeated(this.#atom()));
    }
    return { kind: 'sequence', items };
  }

  #repeated(item: Node): Node {
    const start = this.#at;
    let min = 0;
    let max = Number.POSITIVE_INFINITY;
    if (this.#take('?')) max = 1;
    else if (this.#take('+')) min = 1;
    else if (this.#take('{')) {
      const [, least, comma, most] = /^(\d+)(,?)(\d*)$/.exec(this.#until('}')) ?? [];
      if (least === undefined) throw new NotUnderstood();
      min = Number(least);
      max = comma === '' ? min : most === '' ? Number.POSITIVE_INFINITY : Number(most);
    } else if (!this.#take('*')) return item;
    this.#take('?');
    return { kind: 'repeat', item, min, max, source: this.#characters.slice(start, this.#at).join('') };
  }

  #atom(): Node {
    const character = this.#next();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '.':
        return { kind: 'any' };
      case '^':
      case '$':
        return { kind: 'assertion', source: character };
      case '\\':
        return this.#escape();
      default:
        if ('*+?{}])'.includes(character)) throw new NotUnderstood();
        return this.#character(character.codePointAt(0) as number);
    }
  }

  #group(): Node {
    let open = '(';
    let isLook = false;
    if (this.#take('?')) {
      const opened = ['<=', '<!', '=', '!', ':', '<'].find((next) => this.#take(next));
      // Groups that change flags are younger than the oldest Node.js that this runs on.
      if (opened === undefined) throw new NotUnderstood();
      isLook = opened !== ':' && opened !== '<';
      open = opened === '<' ? `(?<${this.#until('>')}>` : `(?${opened}`;
    }
    const item = this.#either();
    if (!this.#take(')')) throw new NotUnderstood();
    return { kind: isLook ? 'look' : 'group', item, open };
  }

  #escape(): Node {
    const character = this.#peek() as string;
    if (character === 'b' || character === 'B') {
      this.#at++;
      return { kind: 'assertion', source: `\\${character}` };
    }
    if (character >= '1' && character <= '9') {
      let digits = '';
      for (let next = this.#peek(); next !== undefined && /^\d$/.test(next); next = this.#peek()) {
        digits += this.#next();
      }
      return { kind: 'reference', source: `\\${digits}` };
    }
    if (this.#take('k<')) return { kind: 'reference', source: `\\k<${this.#until('>')}>` };
    const set = this.#escapedSet();
    return set ?? this.#character(this.#escapedCode());
  }

  /** `\d` and the like; undefined where the escape is a character. */
  #escapedSet(): Node | undefined {
    const character = this.#peek() as string;
    const members = { d: /\d/, w: /\w/, s: /\s/ }[character.toLowerCase()];
    // What Unicode says of a character is not known here.
    if (character === 'p' || character === 'P') throw new NotUnderstood();
    if (members === undefined) return undefined;
    this.#at++;
    const isNegated = character !== character.toLowerCase();
    const ascii = Uint8Array.from({ length: ASCII }, (_, code) =>
      members.test(String.fromCharCode(code)) !== isNegated ? 1 : 0,
    );
    return { kind: 'set', ascii, hasOthers: isNegated || character !== 'd' };
  }

  /** The code of an escaped character, behind its backslash. */
  #escapedCode(): number {
    const character = this.#next();
    switch (character) {
      case 't':
        return 9;
      case 'n':
        return 10;
      case 'v':
        return 11;
      case 'f':
        return 12;
      case 'r':
        return 13;
      case '0':
        return 0;
      case 'c':
        return (this.#next().codePointAt(0) as number) & 31;
      case 'x':
        return this.#hexadecimal(2);
      case 'u':
        return this.#unicode();
      default:
        return character.codePointAt(0) as number;
    }
  }

  #unicode(): number {
    if (this.#take('{')) return Number.parseInt(this.#until('}'), 16);
    const lead = this.#hexadecimal(4);
    if (lead < 0xd800 || lead > 0xdbff || !this.#take('\\u')) return lead;
    return ((lead - 0xd800) << 10) + this.#hexadecimal(4) - 0xdc00 + 0x10000;
  }

  #hexadecimal(digits: number): number {
    let text = '';
    for (let i = 0; i < digits; i++) text += this.#next();
    return Number.parseInt(text, 16);
  }

  /** One character; where case is ignored, and ASCII has another of it, the set of both. */
  #character(code: number): Node {
    const isLetter = code < ASCII && /[A-Za-z]/.test(String.fromCharCode(code));
    if (!this.#ignoreCase || !(isLetter || code === LONG_S || code === KELVIN))
      return { kind: 'character', code };
    const ascii = new Uint8Array(ASCII);
    this.#add(ascii, code, code);
    // That `s` and `k` have another form beyond ASCII is taken care of where literals are used.
    return { kind: 'set', ascii, hasOthers: code >= ASCII };
  }

  #class(): Node {
    const isNegated = this.#take('^');
    const ascii = new Uint8Array(ASCII);
    let hasOthers = isNegated;
    while (!this.#take(']')) {
      const first = this.#classAtom();
      if (typeof first !== 'number') {
        for (let code = 0; code < ASCII; code++) if (first.ascii[code] === 1) this.#add(ascii, code, code);
        hasOthers ||= first.hasOthers;
        continue;
      }
      let last = first;
      const end = this.#characters[this.#at + 1];
      if (this.#peek() === '-' && end !== undefined && end !== ']') {
        this.#at++;
        const behind = this.#classAtom();
        if (typeof behind !== 'number') throw new NotUnderstood();
        last = behind;
      }
      this.#add(ascii, first, last);
      hasOthers ||= last >= ASCII;
    }
    if (isNegated) for (const [code, isIn] of ascii.entries()) ascii[code] = 1 - isIn;
    return { kind: 'set', ascii, hasOthers };
  }

  #classAtom(): number | { ascii: AsciiSet; hasOthers: boolean } {
    if (!this.#take('\\')) return this.#next().codePointAt(0) as number;
    if (this.#take('b')) return 8;
    const set = this.#escapedSet();
    if (set?.kind === 'set') return set;
    return this.#escapedCode();
  }

  /** Adds the characters from `first` to `last`, in both cases where case is ignored. */
  #add(ascii: AsciiSet, first: number, last: number): void {
    for (let code = first; code <= Math.min(last, ASCII - 1); code++) {
      ascii[code] = 1;
      if (this.#ignoreCase) for (const other of otherCases(code)) ascii[other] = 1;
    }
    if (!this.#ignoreCase) return;
    for (const [other, letter] of [[LONG_S, 's'] as const, [KELVIN, 'k'] as const]) {
      if (other < first || other > last) continue;
      ascii[letter.charCodeAt(0)] = 1;
      ascii[letter.toUpperCase().charCodeAt(0)] = 1;
    }
  }
}

function otherCases(code: number): number[] {
  const character = String.fromCharCode(code);
  return [character.toLowerCase(), character.toUpperCase()].map((other) => other.charCodeAt(0));
}
