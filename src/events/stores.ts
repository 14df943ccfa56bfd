/**
 * The stores of log entries of a database: each is opened once, and closed with it.
 *
 * @module
 */

import type { Tree } from '../lsm/tree.ts';
import type { TreeOptions } from '../lsm/tree-options.ts';
import type { Trees } from '../lsm/trees.ts';
import { checkOptions } from '../options.ts';
import { Events } from './events.ts';
import { EVENTS_TREE_OPTIONS, eventStoresOf, eventsTreeName } from './names.ts';
import type { EventsOptions } from './retention.ts';

/** What stores need of their database. */
export interface EventsHost {
  readonly readOnly: boolean;
  tree(name: string, options: TreeOptions): Promise<Tree>;
  treeNames(): Promise<string[]>;
}

export class EventStores {
  readonly #host: EventsHost;
  readonly #trees: () => Promise<Trees>;
  readonly #open: Map<string, Promise<Events>> = new Map();

  constructor(host: EventsHost, trees: () => Promise<Trees>) {
    this.#host = host;
    this.#trees = trees;
  }

  /** Opens a store, as `Database.events` does. */
  async open(name: string, options: EventsOptions): Promise<Events> {
    checkOptions('options', options, ['retention']);
    let opening = this.#open.get(name);
    if (opening === undefined) {
      opening = this.#make(name);
      this.#open.set(name, opening);
      opening.catch(() => this.#open.delete(name));
    }
    const events = await opening;
    if (options.retention !== undefined) await events.retain(options.retention);
    return events;
  }

  /** The names of the stores that there are, sorted. */
  async names(): Promise<string[]> {
    return eventStoresOf(await this.#host.treeNames());
  }

  /** Ends what they have begun; returns what went wrong. */
  async close(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (const opening of this.#open.values()) {
      try {
        await (await opening).close();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }

  async #make(name: string): Promise<Events> {
    const tree = await this.#host.tree(eventsTreeName(name), this.#host.readOnly ? {} : EVENTS_TREE_OPTIONS);
    const events = new Events(name, await this.#trees(), tree);
    await events.recover();
    return events;
  }
}
