/**
 * What campaigns that live in memory have in common: rounds, each from a seed of its own, so that the first
 * round of another run shows again what one has found.
 *
 * @module
 */

import type { Campaign, CampaignResult, CampaignRun } from './campaign.ts';
import { abandonMemory } from './laboratory.ts';

/** What a round found, and in a few words what it did. */
export interface Round {
  failures: readonly string[];
  /** Numbers that are added up. */
  done: Readonly<Record<string, number>>;
}

const FAILURES_MAX = 20;

/** What was thrown, as a text. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * Makes a campaign of rounds.
 *
 * @param measure how many rounds there are where no time is given
 * @param round runs one, until `untilMs` at most where that is given
 */
export function campaignOf(
  name: string,
  measure: number,
  round: (seed: number, untilMs: number | undefined) => Promise<Round>,
): Campaign {
  async function run({ seed, untilMs, onProgress }: CampaignRun): Promise<CampaignResult> {
    const result: CampaignResult = { passed: 0, failures: [], summary: '' };
    const totals: Record<string, number> = {};
    const total = untilMs === undefined ? measure : undefined;
    for (let i = 0; untilMs === undefined ? i < measure : performance.now() < untilMs; i++) {
      const { failures, done } = await round(seed + i, untilMs).catch((error: unknown) => {
        abandonMemory();
        return { failures: [reasonOf(error)], done: {} };
      });
      for (const [what, count] of Object.entries(done)) totals[what] = (totals[what] ?? 0) + count;
      if (failures.length === 0) result.passed++;
      for (const failure of failures) {
        result.failures.push(`npm run test:long -- --campaign ${name} --seed ${seed + i}\n${failure}`);
      }
      result.summary = Object.entries(totals)
        .map(([what, count]) => `${count} ${what}`)
        .join(', ');
      onProgress({ done: i + 1, total, failed: result.failures.length, note: result.summary });
      if (result.failures.length >= FAILURES_MAX) break;
    }
    return result;
  }
  return { name, run };
}
