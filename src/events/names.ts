/** Names of stores of log entries, and of the trees that they are. */

import { checkTreeName } from '../lsm/tree-names.ts';
import type { TreeOptions } from '../lsm/tree-options.ts';

/** How they are kept: looking for a key goes by its time, and filters would be asked for none. */
export const EVENTS_TREE_OPTIONS: TreeOptions = { tags: 'events', filter: false };

const PREFIX = 'events.';

/**
 * The name of the tree that a store is.
 *
 * @throws TypeError, RangeError where the name of the store cannot be one
 */
export function eventsTreeName(store: string): string {
  return checkTreeName(`${PREFIX}${checkTreeName(store)}`);
}

/** The stores among trees. */
export function eventStoresOf(trees: readonly string[]): string[] {
  return trees.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length));
}
