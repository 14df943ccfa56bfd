/**
 * Logs that live inside the process: varve itself, sonic-boom, hypercore, flumelog-offset.
 *
 * @module
 */

import { join } from 'node:path';
import type { Engine } from '../engine.ts';
import type { Peers } from '../peers.ts';
import { enqueueAll } from '../suites/enqueue-all.ts';
import { recordAt } from '../workload.ts';
import { type PeerEngine, promised } from './engine.ts';

export function varveEngine(engine: Engine): PeerEngine {
  return {
    name: 'varve',
    missing: () => null,
    async open({ directory, isDurable }) {
      const db = await engine.open(join(directory, 'varve'));
      const log = await db.log('records', { sync: { mode: isDurable ? 'always' : 'never' } });
      return {
        append: (value) => log.append({ value }),
        async appendAll(count) {
          await enqueueAll(log, count);
        },
        close: () => db.close(),
      };
    },
  };
}

export function sonicBoomEngine(peers: Peers): PeerEngine {
  const peer = peers.load('sonic-boom');
  return {
    name: 'sonic-boom',
    missing: () => peer.missing,
    async open({ directory, isDurable }) {
      const { SonicBoom } = peer.module!;
      const file = new SonicBoom({
        dest: join(directory, 'records.log'),
        fsync: isDurable,
        sync: false,
        contentMode: 'buffer',
      });
      // Each flush that is waited for listens.
      file.setMaxListeners(0);
      await promised((done) => file.once('ready', () => done()));
      const flush = (): Promise<void> => promised((done) => file.flush(done));
      return {
        async append(value) {
          file.write(value);
          await flush();
        },
        async appendAll(count) {
          for (let i = 0; i < count; i++) {
            const isRoomy = file.write(recordAt(i));
            if (!isRoomy) await promised((done) => file.once('drain', () => done()));
          }
          await flush();
        },
        async close() {
          const closed = promised((done) => file.once('close', () => done()));
          file.end();
          await closed;
        },
      };
    },
  };
}

export function hypercoreEngine(peers: Peers): PeerEngine {
  const peer = peers.load('hypercore');
  return {
    name: 'hypercore',
    missing: (isDurable) => peer.missing ?? (isDurable ? 'it never calls fsync' : null),
    async open({ directory }) {
      const core = new peer.module!(join(directory, 'core'));
      await core.ready();
      return {
        append: (value) => core.append(value),
        async appendAll(count) {
          for (let start = 0; start < count; start += 1000) {
            const length = Math.min(1000, count - start);
            await core.append(Array.from({ length }, (_, i) => recordAt(start + i)));
          }
        },
        close: () => core.close(),
      };
    },
  };
}

export function flumelogEngine(peers: Peers): PeerEngine {
  const peer = peers.load('flumelog-offset');
  return {
    name: 'flumelog-offset',
    missing: (isDurable) => peer.missing ?? (isDurable ? 'it never calls fsync' : null),
    async open({ directory }) {
      const log = peer.module!(join(directory, 'records.log'), { blockSize: 65_536 });
      const append = (value: Buffer | Buffer[]): Promise<number | undefined> =>
        promised((done) => log.append(value, done));
      return {
        append: (value) => append(value),
        async appendAll(count) {
          for (let start = 0; start < count; start += 1000) {
            const length = Math.min(1000, count - start);
            await append(Array.from({ length }, (_, i) => recordAt(start + i)));
          }
        },
        // It has no way to be closed.
        close: () => Promise.resolve(),
      };
    },
  };
}
