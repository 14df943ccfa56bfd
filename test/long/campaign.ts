/**
 * What a campaign is: a test that goes on for as long as it is given, from a seed.
 *
 * @module
 */

/** How far it is. */
export interface Progress {
  done: number;
  /** Of how many, where that is known. */
  total?: number;
  failed: number;
  /** What it is at, in a few words. */
  note: string;
}

export interface CampaignRun {
  seed: number;
  /** When to stop, as `performance.now()` has it; the campaign's own measure unless given. */
  untilMs: number | undefined;
  onProgress: (progress: Progress) => void;
}

export interface CampaignResult {
  passed: number;
  /** What went wrong, one text each; each says how to see it again. */
  failures: string[];
  /** What was done, in one line. */
  summary: string;
}

export interface Campaign {
  name: string;
  run(run: CampaignRun): Promise<CampaignResult>;
}
