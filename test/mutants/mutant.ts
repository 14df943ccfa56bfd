/** What a mutant is, and who may notice it. */

export const HUNTS = [
  'crash',
  'fault',
  'rot',
  'simulation',
  'tree-crash',
  'tree-fault',
  'tree-simulation',
  'tree-rot',
] as const;
/** A campaign, or a file of tests. */
export type HuntName = (typeof HUNTS)[number] | `test/${string}.test.ts`;

export interface Change {
  file: string;
  /** What is replaced; it is there exactly once. */
  from: string;
  to: string;
}

export interface Mutant {
  name: string;
  caughtBy: HuntName;
  changes: readonly Change[];
}
