/**
 * Which files are searched, by their names: `--include`, `--exclude` and `--exclude-dir`, as GNU grep has them.
 *
 * @module
 */

import { segmentMatcher } from '../text/glob.ts';
import type { SkipName } from '../text/inputs.ts';

/** A rule, as it was typed. */
export interface NameRule {
  kind: 'include' | 'exclude' | 'excludeDirectory';
  glob: string;
}

/**
 * What says whether a file or a directory is passed over. Of several rules that are about it the last one counts.
 * Where none is, a file is searched unless the first rule says which are.
 */
export function skipByName(rules: readonly NameRule[]): SkipName {
  const compiled = rules.map(({ kind, glob }) => ({
    kind,
    matcher: segmentMatcher(kind === 'excludeDirectory' ? glob.replace(/(?<=.)\/+$/, '') : glob),
  }));
  const forFiles = compiled.filter(({ kind }) => kind !== 'excludeDirectory').reverse();
  const forDirectories = compiled.filter(({ kind }) => kind === 'excludeDirectory');
  return (path, what, isNamed) => {
    const names = isNamed ? suffixesOf(path) : [path.slice(path.lastIndexOf('/') + 1)];
    const matches = ({ matcher }: { matcher: RegExp }): boolean => names.some((name) => matcher.test(name));
    if (what === 'directory') return forDirectories.some(matches);
    const rule = forFiles.find(matches);
    if (rule !== undefined) return rule.kind === 'exclude';
    return forFiles.at(-1)?.kind === 'include';
  };
}

/** What was typed is compared from its beginning, and from behind each slash. */
function suffixesOf(path: string): string[] {
  const whole = path.replace(/(?<=.)\/+$/, '');
  const suffixes = [whole];
  for (let at = whole.indexOf('/'); at >= 0; at = whole.indexOf('/', at + 1))
    suffixes.push(whole.slice(at + 1));
  return suffixes;
}
