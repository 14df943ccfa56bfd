/** Stores of log entries over the trees of a test. */

import { Events } from '../../src/events/events.ts';
import type { EventInput } from '../../src/events/input.ts';
import { EVENTS_TREE_OPTIONS, eventsTreeName } from '../../src/events/names.ts';
import { LEVEL_NAMES } from '../../src/levels.ts';
import type { OpenTrees } from './tree-kit.ts';

/** Opens a store of trees. */
export async function openEvents({ trees, tree }: OpenTrees, name = 'app'): Promise<Events> {
  return new Events(name, trees, await tree(eventsTreeName(name), EVENTS_TREE_OPTIONS));
}

/** An entry as a model keeps it: what `EventEntry.toJSON` gives. */
export function jsonOf(entry: EventInput, nowMs: number): Record<string, unknown> {
  const { timestamp = nowMs, nanoseconds = 0, level = 'INFO', component, version, message, metadata } = entry;
  const isBig = typeof timestamp === 'bigint';
  const ns = isBig ? Number(timestamp % 1_000_000n) : nanoseconds;
  return {
    timestamp: isBig ? Number(timestamp / 1_000_000n) : timestamp,
    ...(ns !== 0 && { nanoseconds: ns }),
    level: LEVEL_NAMES.find((name) => name === level.toUpperCase()),
    ...(component !== undefined && { component }),
    ...(version !== undefined && { version }),
    message,
    ...(metadata !== undefined && { metadata: JSON.parse(JSON.stringify(metadata)) as unknown }),
  };
}

/** All entries of a store, as JSON. */
export function readAllEvents(events: Events): unknown[] {
  return [...events.readSync()].map((entry) => entry.toJSON());
}
