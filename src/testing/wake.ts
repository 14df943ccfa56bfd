/**
 * Builds what a machine finds after a power cut, from what is open about its disk (survey.ts) and one option
 * for each choice. Nothing of the first machine is changed, so that it can be asked again.
 *
 * @module
 */

import { PagedBytes } from '../vfs/pages.ts';
import { type DirectoryNode, type FileNode, newDirectory, newFile, type TreeNode } from '../vfs/tree.ts';
import type { FileChange, FileOnDisk, NameChange } from './disk.ts';
import { type Choice, changesByName, type LengthOption, type Survey } from './survey.ts';

/**
 * Makes the tree that a machine finds after a power cut.
 *
 * @param options one for each choice, in agreement
 */
export function wake(survey: Survey, options: readonly number[]): DirectoryNode {
  const { disk, choices } = survey;
  const versions = new Map<NameChange, TreeNode | undefined>();
  const byFile = new Map<FileNode, { choice: Choice; option: number }[]>();
  for (const [i, choice] of choices.entries()) {
    const option = options[i] as number;
    if (choice.kind === 'name') {
      const first = choice.changes[0] as NameChange;
      if (option > 0) versions.set(first, choice.changes[option - 1]?.node);
      continue;
    }
    const same = byFile.get(choice.file);
    if (same === undefined) byFile.set(choice.file, [{ choice, option }]);
    else same.push({ choice, option });
  }

  const copies = new Map<TreeNode, TreeNode>();
  const copyFile = (node: FileNode): FileNode => {
    const onDisk = disk.file(node);
    const bytes = (onDisk?.synced ?? node.bytes).clone();
    return newFile(
      onDisk === undefined ? bytes : wakeFile(bytes, onDisk, byFile.get(node) ?? [], survey.sectorBytes),
    );
  };
  const copyDirectory = (node: DirectoryNode): DirectoryNode => {
    const onDisk = disk.directory(node);
    const entries = new Map(onDisk?.synced ?? node.entries);
    for (const [name, [first]] of changesByName(onDisk?.changes ?? [])) {
      if (first === undefined || !versions.has(first)) continue;
      const version = versions.get(first);
      if (version === undefined) entries.delete(name);
      else entries.set(name, version);
    }
    const copied = newDirectory();
    for (const [name, child] of entries) copied.entries.set(name, copy(child));
    return copied;
  };
  const copy = (node: TreeNode): TreeNode => {
    const known = copies.get(node);
    if (known !== undefined) return known;
    const made = node.kind === 'file' ? copyFile(node) : copyDirectory(node);
    copies.set(node, made);
    return made;
  };
  return copyDirectory(survey.root);
}

function wakeFile(
  bytes: PagedBytes,
  { synced, changes }: FileOnDisk,
  picked: readonly { choice: Choice; option: number }[],
  sectorBytes: number,
): PagedBytes {
  let length: LengthOption = { bytes: synced.length, change: -1 };
  for (const { choice, option } of picked) {
    if (choice.kind === 'length') length = choice.lengths[option] as LengthOption;
  }
  // What a cut that reached the disk took away is gone, in sectors that nothing was written to …
  for (const change of changes.slice(0, length.change + 1)) {
    if (change.source === undefined) bytes.truncate(Math.min(bytes.length, change.position));
  }
  // … and in those where what was written may have arrived or not.
  for (const { choice, option } of picked) {
    if (choice.kind !== 'sector' || option === 0) continue;
    const arrived = choice.changes.filter(
      (index, i) => i < option || (index <= length.change && changes[index]?.source === undefined),
    );
    bytes.write(sectorAfter(synced, changes, arrived, choice.position, sectorBytes), choice.position);
  }
  bytes.truncate(length.bytes);
  return bytes;
}

/** The content of the sector at `position` after some of the changes that touch it, given by their numbers. */
function sectorAfter(
  synced: PagedBytes,
  changes: readonly FileChange[],
  touching: readonly number[],
  position: number,
  sectorBytes: number,
): Uint8Array {
  const content = new Uint8Array(sectorBytes);
  synced.read(content, position);
  const sector = new PagedBytes();
  sector.write(content, 0);
  for (const index of touching) {
    const change = changes[index] as FileChange;
    const from = Math.max(change.position - position, 0);
    if (change.source === undefined) {
      sector.truncate(from);
      sector.truncate(sectorBytes);
    } else {
      const begin = Math.max(position - change.position, 0);
      const part = change.source.subarray(begin, begin + sectorBytes - from);
      sector.write(part, from);
    }
  }
  sector.read(content, 0);
  return content;
}
