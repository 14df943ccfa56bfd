/**
 * What is open about a disk at one moment: of what was on its way there (disk.ts), which may have arrived.
 *
 * Whatever may or may not have happened is a choice with some options. Option 0 of every choice is what was
 * synced last; the last option is what programs saw last.
 *
 * - `sector`: the content of one sector of a file after none, one, two … of the changes that touched it.
 *   Sectors are written whole and in any order, so a write that spans several may be torn between them.
 * - `length`: the length of a file after none, one, two … of the changes, or at a sector border within a
 *   write that extends it. Length and content are independent: a file can have its new length and zeros
 *   where the data was to be, or the data and the old length, behind which it is lost.
 * - `name`: what a name stands for after none, one, two … of the changes of that name. Names are
 *   independent, but a rename is never lost half: where the old name is gone, the new one is there. That
 *   both are there is possible.
 *
 * One rule more: bytes that were cut off do not come back where the cut is known to have reached the disk.
 *
 * @module
 */

import type { DirectoryNode, FileNode, TreeNode } from '../vfs/tree.ts';
import type { Disk, FileChange, FileOnDisk, NameChange } from './disk.ts';

interface Choosing {
  readonly path: string;
  /** How many states there are to choose from. */
  readonly options: number;
}

export interface SectorChoice extends Choosing {
  readonly kind: 'sector';
  /** Where the sector begins in the file. */
  readonly position: number;
  readonly file: FileNode;
  readonly onDisk: FileOnDisk;
  /** The changes that touch the sector, by their number among those of the file. */
  readonly changes: readonly number[];
}

export interface LengthChoice extends Choosing {
  readonly kind: 'length';
  readonly file: FileNode;
  readonly onDisk: FileOnDisk;
  readonly lengths: readonly LengthOption[];
}

export interface LengthOption {
  readonly bytes: number;
  /** The change that leads to it, by its number; -1 for the synced length. */
  readonly change: number;
}

export interface NameChoice extends Choosing {
  readonly kind: 'name';
  readonly changes: readonly NameChange[];
}

export type Choice = SectorChoice | LengthChoice | NameChoice;

/** All that is open about a disk at one moment, in an order that depends on nothing but what was done to it. */
export interface Survey {
  readonly root: DirectoryNode;
  readonly disk: Disk;
  readonly sectorBytes: number;
  /** Names first. */
  readonly choices: readonly Choice[];
}

/**
 * Finds what is open below `root`. Files that no choice of names leads to are left out.
 *
 * @param sectorBytes what the disk writes at once
 */
export function survey(disk: Disk, root: DirectoryNode, sectorBytes: number): Survey {
  const names: NameChoice[] = [];
  const contents: Choice[] = [];
  const seen = new Set<TreeNode>();
  const visit = (node: TreeNode, path: string): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === 'file') {
      const onDisk = disk.file(node);
      if (onDisk === undefined || onDisk.changes.length === 0) return;
      contents.push(...lengthChoices(node, onDisk, path, sectorBytes));
      contents.push(...sectorChoices(node, onDisk, path, sectorBytes));
      return;
    }
    const onDisk = disk.directory(node);
    for (const [name, changes] of changesByName(onDisk?.changes ?? [])) {
      names.push({ kind: 'name', path: `${path}/${name}`, options: changes.length + 1, changes });
    }
    for (const [name, child] of onDisk?.synced ?? node.entries) visit(child, `${path}/${name}`);
    for (const { place, node: child } of onDisk?.changes ?? []) {
      if (child !== undefined) visit(child, `${path}/${place.name}`);
    }
  };
  visit(root, '');
  return { root, disk, sectorBytes, choices: [...names, ...contents] };
}

/** The changes of a directory, taken apart by name. */
export function changesByName(changes: readonly NameChange[]): Map<string, NameChange[]> {
  const byName = new Map<string, NameChange[]>();
  for (const change of changes) {
    const same = byName.get(change.place.name);
    if (same === undefined) byName.set(change.place.name, [change]);
    else same.push(change);
  }
  return byName;
}

function lengthChoices(
  file: FileNode,
  onDisk: FileOnDisk,
  path: string,
  sectorBytes: number,
): LengthChoice[] {
  const lengths: LengthOption[] = [{ bytes: onDisk.synced.length, change: -1 }];
  for (const [index, change] of onDisk.changes.entries()) {
    const { source, lengthBefore, lengthAfter } = change;
    if (lengthAfter === lengthBefore) continue;
    if (source !== undefined) {
      const begin = Math.max(change.position, lengthBefore);
      for (let border = nextBorder(begin, sectorBytes); border < lengthAfter; border += sectorBytes) {
        lengths.push({ bytes: border, change: index });
      }
    }
    lengths.push({ bytes: lengthAfter, change: index });
  }
  if (lengths.length === 1) return [];
  return [{ kind: 'length', path, options: lengths.length, file, onDisk, lengths }];
}

function nextBorder(position: number, sectorBytes: number): number {
  return (Math.floor(position / sectorBytes) + 1) * sectorBytes;
}

function sectorChoices(
  file: FileNode,
  onDisk: FileOnDisk,
  path: string,
  sectorBytes: number,
): SectorChoice[] {
  const bySector = new Map<number, number[]>();
  const cuts: number[] = [];
  for (const [index, change] of onDisk.changes.entries()) {
    const { source, position, lengthBefore } = change;
    const isCut = source === undefined && lengthBefore > position;
    if (isCut) cuts.push(index);
    // Of what a cut takes away, only the sector that it goes through is rewritten.
    const end = isCut && position % sectorBytes !== 0 ? position + 1 : position + (source?.length ?? 0);
    for (let sector = Math.floor(position / sectorBytes); sector * sectorBytes < end; sector++) {
      const touching = bySector.get(sector);
      if (touching === undefined) bySector.set(sector, []);
      else if (!isCut) touching.push(index);
      if (touching !== undefined || isCut) continue;
      const earlier = cuts.filter((cut) => touches(onDisk.changes[cut], sector * sectorBytes, sectorBytes));
      bySector.set(sector, [...earlier, index]);
    }
    if (!isCut) continue;
    for (const [sector, touching] of bySector) {
      if (touches(change, sector * sectorBytes, sectorBytes)) touching.push(index);
    }
  }
  return [...bySector]
    .sort(([a], [b]) => a - b)
    .map(([sector, changes]) => ({
      kind: 'sector',
      path,
      options: changes.length + 1,
      position: sector * sectorBytes,
      file,
      onDisk,
      changes,
    }));
}

/** Whether a cut changes a sector. */
function touches(change: FileChange | undefined, sectorPosition: number, sectorBytes: number): boolean {
  if (change === undefined) return false;
  // A cut touches what it takes away; an extension adds zeros where there are some already.
  return (
    change.position < sectorPosition + sectorBytes &&
    change.lengthBefore > Math.max(sectorPosition, change.position)
  );
}

/**
 * Raises the options of names until no rename is lost half; what agrees already is returned as it is.
 *
 * @param picked one option for each choice; one that is missing is 0, one that is too great is the last
 */
export function agree({ choices }: Survey, picked: readonly number[]): number[] {
  const options = choices.map(({ options: count }, i) => Math.min(Math.max(picked[i] ?? 0, 0), count - 1));
  const where = new Map<NameChange, { choice: number; option: number }>();
  for (const [index, choice] of choices.entries()) {
    if (choice.kind !== 'name') break;
    for (const [i, change] of choice.changes.entries()) where.set(change, { choice: index, option: i + 1 });
  }
  for (let raised = true; raised; ) {
    raised = false;
    for (const [change, { choice, option }] of where) {
      if ((options[choice] as number) < option) continue;
      for (const partner of [change.target, change.source]) {
        const needed = partner && where.get(partner);
        if (needed === undefined || (options[needed.choice] as number) >= needed.option) continue;
        options[needed.choice] = needed.option;
        raised = true;
      }
    }
  }
  return options;
}
