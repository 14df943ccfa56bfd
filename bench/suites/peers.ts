/**
 * Other engines on the same work, with the same durability: many records that are written, and records
 * that each have to survive a power cut before their sender goes on.
 *
 * @module
 */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenEngine, PeerEngine } from '../engines/engine.ts';
import { flumelogEngine, hypercoreEngine, sonicBoomEngine, varveEngine } from '../engines/logs.ts';
import { natsEngine, redisEngine } from '../engines/servers.ts';
import { levelEngine, lmdbEngine, sqliteEngine } from '../engines/stores.ts';
import type { RowSpec } from '../rows.ts';
import { inTurn } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';
import { closedLoop, perSecond, recordAt } from '../workload.ts';

interface Work {
  readonly name: string;
  readonly isDurable: boolean;
  readonly count: number;
  /** Does the work on an engine that was just opened; returns records a second. */
  readonly run: (engine: OpenEngine, count: number) => Promise<number>;
}

const works: readonly Work[] = [
  {
    name: 'bulk',
    isDurable: false,
    count: 200_000,
    async run(engine, count) {
      const began = performance.now();
      await engine.appendAll(count);
      return perSecond(count, began);
    },
  },
  {
    name: 'synced-1',
    isDurable: true,
    count: 300,
    run: (engine, count) => closedLoop(1, count, (i) => engine.append(recordAt(i), i)),
  },
  {
    name: 'synced-64',
    isDurable: true,
    count: 4000,
    run: (engine, count) => closedLoop(64, count, (i) => engine.append(recordAt(i), i)),
  },
];

const peerNames = [
  'lmdb',
  'classic-level',
  'better-sqlite3',
  'sonic-boom',
  'hypercore',
  'flumelog-offset',
  'redis-server',
  'nats-server',
] as const;

function rowOf(work: Work, peer: string): RowSpec {
  return { id: `peers/${work.name} vs ${peer}`, unit: 'records/s', versus: peer, target: null };
}

/** All peers; where there are none, as in a tiny run, not even those that are servers. */
function enginesOf(context: Context): PeerEngine[] {
  const { peers } = context;
  const engines = [
    lmdbEngine(peers),
    levelEngine(peers),
    sqliteEngine(peers),
    sonicBoomEngine(peers),
    hypercoreEngine(peers),
    flumelogEngine(peers),
  ];
  return context.tiny ? engines : [...engines, redisEngine(), natsEngine()];
}

/** Does some work on a new instance of an engine, and leaves nothing of it behind. */
async function measure(context: Context, engine: PeerEngine, work: Work): Promise<number> {
  const directory = join(context.directory, engine.name);
  mkdirSync(directory);
  try {
    const open = await engine.open({ directory, isDurable: work.isDurable });
    try {
      return await work.run(open, context.tiny ? 20 : work.count);
    } finally {
      await open.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function run(context: Context): Promise<void> {
  const varve = varveEngine(context.engine);
  const engines = enginesOf(context);
  for (const work of works) {
    // Where there is nobody to compare with, it is shown at least that the work can be done.
    const alone = context.tiny ? [await measure(context, varve, work)] : [];
    for (const name of peerNames) {
      const { id } = rowOf(work, name);
      const peer = engines.find((engine) => engine.name === name);
      const missing = peer === undefined ? 'a tiny run has no peers' : peer.missing(work.isDurable);
      if (peer === undefined || missing !== null) {
        context.skip(id, missing ?? 'there is none', alone);
        continue;
      }
      context.say(id);
      try {
        const measured = await inTurn(context.rounds, {
          varve: () => measure(context, varve, work),
          peer: () => measure(context, peer, work),
        });
        context.report(id, { samples: measured.varve, versusSamples: measured.peer });
      } catch (error) {
        // A peer that fails is no reason to lose what was measured of the others.
        context.skip(id, `failed: ${(error as Error).message}`);
      }
    }
  }
}

export const peersSuite: Suite = {
  name: 'peers',
  title: 'other engines on the same work, with the same durability',
  rows: works.flatMap((work) => peerNames.map((name) => rowOf(work, name))),
  run,
};
