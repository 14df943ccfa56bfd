/**
 * The campaign against SIGKILL, as `npm run test:long` runs it: 200 processes, or as many as time allows.
 *
 * @module
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Campaign } from './campaign.ts';
import { killCampaign } from './kill.ts';

const ROUNDS = 200;

export const kill: Campaign = {
  name: 'kill',
  async run({ seed, untilMs, onProgress }) {
    const directory = mkdtempSync(join(tmpdir(), 'varve-kill-'));
    const rounds = untilMs === undefined ? ROUNDS : Infinity;
    const result = await killCampaign({ rounds, seed, directory, untilMs, onProgress });
    // What failed is kept; the failures name its directories.
    if (result.failures.length === 0) rmSync(directory, { recursive: true });
    return result;
  },
};
