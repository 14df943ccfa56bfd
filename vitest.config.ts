import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/kit/global-setup.ts'],
    // Processes, not threads: tests start workers and shared memories of their own and are killed as a whole.
    pool: 'forks',
    // One a core, at least two: many tests wait for a disk or a child process, and vitest leaves a core free.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: { include: ['src/**/*.ts'], exclude: ['src/**/*.generated.ts'] },
  },
});

export default config;
