/** Results that were never measured, for what is made out of results. */

import type { Accident } from '../../src/lab/accident.ts';
import { Latencies } from '../../src/lab/latencies.ts';
import { type Cell, layOut, type PolicyStrategy, policyStrategy } from '../../src/lab/matrix.ts';
import type { Sample } from '../../src/lab/measure.ts';
import { type CellResult, type LabResult, summarize, withShares } from '../../src/lab/result.ts';

export const STRATEGIES: readonly PolicyStrategy[] = [
  policyStrategy({ mode: 'always' }),
  policyStrategy({ mode: 'batch', maxDelayMs: 10 }),
  policyStrategy({ mode: 'interval', intervalMs: 50 }),
  policyStrategy({ mode: 'never' }),
];

/** Records a second and the time each takes, by the name of the strategy. */
export type Speeds = Readonly<Record<string, readonly [recordsPerSecond: number, latencyMs: number]>>;

export const SPEEDS: Speeds = {
  'disk: write + fdatasync': [5000, 0.2],
  'disk: write': [900_000, 0.001],
  always: [4000, 0.25],
  'batch:10ms': [90, 11],
  'interval:50ms': [200_000, 0.005],
  never: [210_000, 0.005],
};

function sample(cell: Cell, speeds: Speeds, factor: number): Sample {
  const [recordsPerSecond, latencyMs] = speeds[cell.strategy.id] ?? [1000, 1];
  const latencies = new Latencies();
  for (let i = 0; i < 200; i++) latencies.record((latencyMs * (1 + i / 200)) / factor);
  const isRisky = cell.strategy.id.startsWith('interval') || cell.strategy.id === 'never';
  return {
    records: recordsPerSecond * factor,
    elapsedMs: 1000,
    latencies,
    syncs: isRisky ? 20 : recordsPerSecond,
    writeAmplification: 1.1,
    diskAmplification: undefined,
    risk: isRisky
      ? { bytesMax: 4096, bytesMean: 1000, msMax: 55, msMean: 25 }
      : { bytesMax: 0, bytesMean: 0, msMax: 0, msMean: 0 },
    cpu: 0.5,
    isSaturated: false,
  };
}

/** A result of several repeats that differ by a little. */
export function resultOf(
  speeds: Speeds = SPEEDS,
  repeats = 5,
  accidents: readonly Accident[] = [],
): LabResult {
  const matrix = { strategies: STRATEGIES, recordBytes: [100], clients: [1, 16], rates: [500] };
  const factors = Array.from({ length: repeats }, (_, i) => 1 + ((i * 7) % 5) / 1000);
  const cells: CellResult[] = layOut(matrix).map((cell) =>
    summarize(
      cell,
      factors.map((factor) => sample(cell, speeds, factor)),
    ),
  );
  return {
    format: 1,
    varve: '1.2.3',
    date: '2026-01-02T03:04:05.000Z',
    command: 'varve bench fsync --dir "<here>"',
    directory: '/mnt/<disk> & more',
    seed: 1,
    repeats,
    sampleMs: 100,
    seconds: 12,
    environment: {
      node: 'v20.0.0',
      v8: '11',
      platform: 'linux',
      arch: 'x64',
      kernel: 'Linux 6',
      cpu: 'a cpu',
      cores: 2,
      memoryBytes: 2 ** 30,
      fileSystem: 'ext4',
      mountOptions: 'rw',
      device: '/dev/sda',
      diskCache: 'write back',
      loadAverage: [0, 0, 0],
    },
    warnings: ['Something is <odd>.'],
    cells: withShares(cells),
    accidents,
  };
}
