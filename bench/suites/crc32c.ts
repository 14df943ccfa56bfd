/**
 * CRC-32C: the kernel on bytes that lie in the shared memory, against a native addon on a Buffer. Both
 * sides are called from JavaScript, so the cost of the call is in both numbers.
 *
 * @module
 */

import { Bench } from 'tinybench';
import type { RowSpec } from '../rows.ts';
import { type Contestant, inTurn } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const peerName = '@node-rs/crc32';

interface Size {
  readonly bytes: number;
  readonly row: RowSpec;
}

function size(name: string, bytes: number, target: RowSpec['target']): Size {
  return { bytes, row: { id: `crc32c/${name} vs ${peerName}`, unit: 'GB/s', versus: peerName, target } };
}

const sizes: readonly Size[] = [
  size('64B', 64, '>= 3'),
  size('256B', 256, null),
  size('1KiB', KIB, '>= 1'),
  size('4KiB', 4 * KIB, null),
  size('64KiB', 64 * KIB, '>= 1'),
  size('1MiB', MIB, '>= 1'),
];

/**
 * Times a function that checksums `bytes` bytes.
 *
 * @returns GB/s, from the median of tinybench's samples; each sample is of about a MiB, so that the
 *   clock's own cost does not show
 */
async function throughput(tiny: boolean, bytes: number, checksum: () => number): Promise<number> {
  const calls = Math.max(1, Math.floor((tiny ? 4 * KIB : MIB) / bytes));
  let mixed = 0;
  const bench = new Bench(
    tiny
      ? { time: 1, iterations: 2, warmup: false, throws: true }
      : { time: 60, warmupTime: 20, throws: true },
  );
  bench.add('checksum', () => {
    for (let i = 0; i < calls; i++) mixed ^= checksum();
  });
  const [task] = await bench.run();
  const result = task!.result;
  // Whoever runs on needs the sum: so the compiler may not drop the calls.
  if (!('latency' in result) || !Number.isInteger(mixed)) throw new Error('tinybench has no result');
  return (bytes * calls) / result.latency.p50 / 1e6;
}

async function run(context: Context): Promise<void> {
  const runtime = context.engine.createRuntime({ memoryBytes: 8 * MIB });
  const { memory } = runtime;
  const slab = memory.slabs.allocate(MIB, 'bench');
  const peer = context.peers.load(peerName);
  try {
    const ours = memory.buffer(slab.address, MIB);
    for (let i = 0; i < MIB; i++) ours[i] = Math.imul(i, 2_654_435_761) >>> 24;
    for (const { bytes, row } of sizes) {
      context.say(row.id);
      const { address } = slab;
      const { kernels } = memory;
      const varve: Contestant = () =>
        throughput(context.tiny, bytes, () => kernels.crc32c(address, bytes, 0));
      if (peer.module === null) {
        context.skip(row.id, peer.missing, (await inTurn(context.rounds, { varve })).varve);
        continue;
      }
      const { crc32c } = peer.module;
      const theirs = Buffer.from(ours.subarray(0, bytes));
      if (crc32c(theirs) !== kernels.crc32c(address, bytes, 0) >>> 0) {
        throw new Error(`${row.id}: the two checksums differ`);
      }
      const native: Contestant = () => throughput(context.tiny, bytes, () => crc32c(theirs));
      const measured = await inTurn(context.rounds, { varve, native });
      context.report(row.id, { samples: measured.varve, versusSamples: measured.native });
    }
  } finally {
    slab.release();
    await runtime.close();
  }
}

export const crc32cSuite: Suite = {
  name: 'crc32c',
  title: 'CRC-32C of bytes in the shared memory',
  rows: sizes.map(({ row }) => row),
  run,
};
