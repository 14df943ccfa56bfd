/**
 * The engine as its users get it: the built package. The types come from the sources, so that a bench
 * cannot drift from the API, and the code from `dist`, so that nothing is measured that is not shipped.
 *
 * @module
 */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type * as Varve from '../src/index.ts';

/** What `import ... from 'varve'` gives. */
export type Engine = typeof Varve;

const root = new URL('../', import.meta.url);

/** The path of a file of the built package, checked to be there. */
export function builtPath(path: string): string {
  const file = fileURLToPath(new URL(`dist/${path}`, root));
  if (!existsSync(file)) throw new Error(`dist/${path} is missing; npm run build makes it`);
  return file;
}

/** Loads a module of the built package. `T` is the type of its source. */
export async function loadBuilt<T>(path: string): Promise<T> {
  builtPath(path);
  return (await import(new URL(`dist/${path}`, root).href)) as T;
}

export async function loadEngine(): Promise<Engine> {
  return loadBuilt<Engine>('index.js');
}
