/**
 * Which of the states that a power cut could leave is the one to wake up in: drawn from a seed, given choice
 * by choice, or each in turn.
 *
 * @module
 */

import { seededRandom } from '../random.ts';
import type { FileNode, TreeNode } from '../vfs/tree.ts';
import { agree, type Choice, type LengthChoice, type SectorChoice, type Survey } from './survey.ts';

/** Draws a state. The same seed draws the same state from the same disk. */
export interface SeededPlan {
  readonly seed: number;
  /**
   * The probability, 0 to 1, that a thing is as programs saw it last; otherwise it is in one of its earlier
   * states. Unless told, each file gets a fate of its own: all, nothing, everything up to some byte, or chance.
   */
  readonly keep?: number;
  /** What the disk writes at once; unless told, the seed draws 512 or 4096. */
  readonly sectorBytes?: number;
}

/** Says of each choice which option it takes: 0 is the state of the last sync, the last is the newest. */
export interface ChosenPlan {
  readonly choices: readonly number[];
  /** What the disk writes at once; 512 unless told. */
  readonly sectorBytes?: number;
}

export type CrashPlan = SeededPlan | ChosenPlan;

export const SECTOR_BYTES_DEFAULT = 512;
const PAGE_BYTES = 4096;

/** What the disk of a plan writes at once, in bytes. */
export function sectorBytesOf(plan: CrashPlan): number {
  if (plan.sectorBytes !== undefined) return plan.sectorBytes;
  if ('choices' in plan) return SECTOR_BYTES_DEFAULT;
  return seededRandom(plan.seed)() < 0.5 ? SECTOR_BYTES_DEFAULT : PAGE_BYTES;
}

/** The options that a plan takes, in agreement with each other. */
export function optionsOf(survey: Survey, plan: CrashPlan): number[] {
  return agree(survey, 'choices' in plan ? plan.choices : draw(survey, plan));
}

function draw({ choices }: Survey, { seed, keep }: SeededPlan): number[] {
  const random = seededRandom(seed);
  random(); // The first number draws the sector size.
  const below = (count: number): number => Math.floor(random() * count);
  const scatter = (probability: number, { options }: Choice): number =>
    random() < probability ? options - 1 : below(options - 1);
  if (keep !== undefined) return choices.map((choice) => scatter(keep, choice));

  const probability = (): number => [0.1, 0.5, 0.9, 1][below(4)] ?? 1;
  const forNames = probability();
  const fates = new Map<FileNode, (choice: SectorChoice | LengthChoice) => number>();
  const newFate = ({
    onDisk,
  }: SectorChoice | LengthChoice): ((choice: SectorChoice | LengthChoice) => number) => {
    const kind = below(4);
    if (kind === 0) return () => 0;
    if (kind === 1) return ({ options }) => options - 1;
    if (kind === 2) {
      const each = probability();
      return (choice) => scatter(each, choice);
    }
    const torn = below(onDisk.changes.length + 1);
    const change = onDisk.changes[torn];
    const border = (change?.position ?? 0) + below((change?.source?.length ?? 0) + 1);
    return (choice) => upTo(choice, torn, border);
  };
  return choices.map((choice) => {
    if (choice.kind === 'name') return scatter(forNames, choice);
    let fate = fates.get(choice.file);
    if (fate === undefined) {
      fate = newFate(choice);
      fates.set(choice.file, fate);
    }
    return fate(choice);
  });
}

/** The option in which all changes before number `torn` happened, and of that one what lies before `border`. */
function upTo(choice: SectorChoice | LengthChoice, torn: number, border: number): number {
  if (choice.kind === 'length') {
    const count = choice.lengths.filter(
      ({ bytes, change }) => change < torn || (change === torn && bytes <= border),
    ).length;
    return count - 1;
  }
  return choice.changes.filter((change) => change < torn || (change === torn && choice.position < border))
    .length;
}

/**
 * Goes through the states that a power cut could leave: all of them where there are at most `limit`. Where
 * there are more: nothing kept, all kept, all but one, one alone, and then drawn ones, `limit` in all.
 */
export function* enumerate(survey: Survey, limit: number): Generator<CrashPlan> {
  const { choices, sectorBytes } = survey;
  if (countStates(survey, limit) <= limit) {
    for (const options of allStates(survey)) yield { choices: options, sectorBytes };
    return;
  }
  const seen = new Set<string>();
  for (const options of candidates()) {
    if (seen.size >= limit) return;
    const agreed = agree(survey, options);
    const key = agreed.join();
    if (seen.has(key)) continue;
    seen.add(key);
    yield { choices: agreed, sectorBytes };
  }
  function* candidates(): Generator<number[]> {
    const none = choices.map(() => 0);
    const all = choices.map(({ options }) => options - 1);
    yield none;
    yield all;
    for (const i of choices.keys()) {
      yield all.with(i, 0);
      yield none.with(i, all[i] as number);
    }
    // A draw that was seen already costs a try, so that this ends.
    for (let seed = 1; seed <= 4 * limit; seed++) yield draw(survey, { seed });
  }
}

/** How many states there are, or some number above `limit`. */
function countStates(survey: Survey, limit: number): number {
  const { choices } = survey;
  let nameStates = 1;
  for (const { kind, options } of choices) if (kind === 'name') nameStates *= options;
  if (nameStates > limit) return nameStates;
  let count = 0;
  for (const open of openByNames(survey)) {
    let states = 1;
    for (const i of open.contents) states *= choices[i]?.options ?? 1;
    count += states;
    if (count > limit) break;
  }
  return count;
}

function* allStates(survey: Survey): Generator<number[]> {
  for (const { names, contents } of openByNames(survey)) {
    for (const options of odometer(survey, contents, names)) {
      if (agree(survey, options).every((option, i) => option === options[i])) yield options;
    }
  }
}

/** Each way to choose names, with the choices that are open for the files that have one then. */
function* openByNames(survey: Survey): Generator<{ names: number[]; contents: number[] }> {
  const { choices } = survey;
  const nameChoices = [...choices.keys()].filter((i) => choices[i]?.kind === 'name');
  const start = choices.map(() => 0);
  for (const names of odometer(survey, nameChoices, start)) {
    const agreed = agree(survey, names);
    if (nameChoices.some((i) => agreed[i] !== names[i])) continue;
    const named = namedFiles(survey, names);
    const contents = [...choices.keys()].filter((i) => {
      const choice = choices[i] as Choice;
      return choice.kind !== 'name' && named.has(choice.file);
    });
    yield { names, contents };
  }
}

/** The files that have a name when the names are chosen so. */
function namedFiles({ root, disk, choices }: Survey, options: readonly number[]): Set<TreeNode> {
  const optionOf = new Map(choices.map((choice, i) => [choice, options[i] as number]));
  const found = new Set<TreeNode>();
  const visit = (node: TreeNode): void => {
    found.add(node);
    if (node.kind === 'file') return;
    const entries = new Map(disk.directory(node)?.synced ?? node.entries);
    for (const [choice, option] of optionOf) {
      if (choice.kind !== 'name' || option === 0) continue;
      const change = choice.changes[option - 1];
      if (change === undefined || change.place.directory !== node) continue;
      if (change.node === undefined) entries.delete(change.place.name);
      else entries.set(change.place.name, change.node);
    }
    for (const child of entries.values()) visit(child);
  };
  visit(root);
  return found;
}

/** Counts through all options of some choices, the others being as in `start`. */
function* odometer(
  { choices }: Survey,
  moving: readonly number[],
  start: readonly number[],
): Generator<number[]> {
  const options = [...start];
  for (;;) {
    yield [...options];
    let wheel = 0;
    for (; wheel < moving.length; wheel++) {
      const i = moving[wheel] as number;
      options[i] = (options[i] as number) + 1;
      if (options[i] < (choices[i]?.options ?? 1)) break;
      options[i] = 0;
    }
    if (wheel === moving.length) return;
  }
}
