/**
 * What every implementation of the disk contract (src/vfs/vfs.ts) does, sentence by sentence. What only a
 * power cut would show is not here: the crash tests have that.
 *
 * @module
 */

import { describe } from 'vitest';
import { Bench, type VfsUnderTest } from '../kit/vfs-bench.ts';
import { fileSuite } from './vfs-files.ts';
import { nameSuite } from './vfs-names.ts';

/** Runs the whole contract against what `factory` makes, anew for each test. */
export function vfsSuite(name: string, factory: () => Promise<VfsUnderTest>): void {
  const make = async (): Promise<Bench> => new Bench(await factory());
  describe(`the disk contract, kept by ${name}`, () => {
    fileSuite(make);
    nameSuite(make);
  });
}
